//! Decides how items of Rust are told: by their documentation, with the names that serde gives them.
use syn::{Attribute, Expr, Fields, Item, Lit, Meta, Type};

/// A field, a constant, a variant.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// As it is written outside of Rust.
    pub(super) name: String,
    /// The documentation, in one line.
    pub(super) about: String,
    /// The type, as it is written; empty where there is none.
    pub(super) of: String,
    /// What is below it: the fields of a variant.
    pub(super) below: Vec<Told>,
}

/// The fields of a struct, in order.
pub(super) fn fields_of(source: &str, name: &str) -> Vec<Told> {
    let found = items(source).into_iter().find_map(|item| match item {
        Item::Struct(found) if found.ident == name => Some(fields(&found.fields)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no struct `{name}`"))
}

/// The variants of an enum, in order.
pub(super) fn variants_of(source: &str, name: &str) -> Vec<Told> {
    let found = items(source).into_iter().find_map(|item| match item {
        Item::Enum(found) if found.ident == name => Some(found.variants),
        _ => None,
    });
    let found = found.unwrap_or_else(|| panic!("no enum `{name}`"));
    let told = found.iter().map(|variant| {
        let of = match &variant.fields {
            Fields::Unnamed(fields) => fields.unnamed.iter().map(|field| text(&field.ty)).collect(),
            Fields::Named(_) | Fields::Unit => String::new(),
        };
        let below = if of.is_empty() { fields(&variant.fields) } else { Vec::new() };
        Told { name: first_small(&variant.ident.to_string()), about: about(&variant.attrs), of, below }
    });
    told.collect()
}

/// The constants whose value is a text that begins so, by that value.
pub(super) fn constants(source: &str, prefix: &str) -> Vec<Told> {
    let told = items(source).into_iter().filter_map(|item| match item {
        Item::Const(found) => {
            let name = literal(&found.expr).filter(|value| value.starts_with(prefix))?;
            Some(Told { name, about: about(&found.attrs), of: String::new(), below: Vec::new() })
        }
        _ => None,
    });
    told.collect()
}

fn items(source: &str) -> Vec<Item> {
    syn::parse_file(source).unwrap().items
}

fn fields(fields: &Fields) -> Vec<Told> {
    let told = fields.iter().filter_map(|field| {
        let name = camel(&field.ident.as_ref()?.to_string());
        Some(Told { name, about: about(&field.attrs), of: text(&field.ty), below: Vec::new() })
    });
    told.collect()
}

fn about(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => literal(&pair.value),
        _ => None,
    });
    let whole = lines.collect::<Vec<_>>().join("\n");
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The last names of a type: `Vec<String>`, `Option<ServiceName>`.
fn text(of: &Type) -> String {
    let Type::Path(path) = of else { return String::new() };
    let Some(last) = path.path.segments.last() else { return String::new() };
    match &last.arguments {
        syn::PathArguments::AngleBracketed(below) => {
            let below = below.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(of) => Some(text(of)),
                _ => None,
            });
            format!("{}<{}>", last.ident, below.collect::<Vec<_>>().join(", "))
        }
        syn::PathArguments::None | syn::PathArguments::Parenthesized(_) => last.ident.to_string(),
    }
}

/// As serde's `camelCase` has it.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |whole, word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        whole + &first.into_iter().chain(letters).collect::<String>()
    })
}

fn first_small(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[test]
fn what_serde_calls_a_thing_and_what_its_author_says_of_it_is_told() {
    let source = "/// A place.\nstruct Place {\n/// Where\n/// it is.\nrole_arn: Option<String>,\n}\n\
                  enum Said { /// Go.\nGoOn(To), Stop { why: u8 } }\n/// The log.\nconst LOG: &str = \"T_LOG\";";
    let fields = fields_of(source, "Place");
    assert_eq!((fields[0].name.as_str(), fields[0].about.as_str()), ("roleArn", "Where it is."));
    assert_eq!(fields[0].of, "Option<String>");
    let variants = variants_of(source, "Said");
    assert_eq!((variants[0].name.as_str(), variants[0].of.as_str()), ("goOn", "To"));
    assert_eq!(variants[1].below[0].name, "why");
    assert_eq!(constants(source, "T_")[0].about, "The log.");
}

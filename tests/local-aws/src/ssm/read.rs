//! Reading parameters: by name, by names, by path, and their metadata.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::parameter::{Parameter, Store};
use crate::codec::{Value, constraint, structure};
use crate::wire::AwsError;

/// `GetParameter`: a name, an ARN, or either with `:<version>`.
pub(super) fn get(store: &Store, input: &Value) -> Result<Value, AwsError> {
    let decrypt = input.bool("WithDecryption")?.unwrap_or(false);
    let parameter = find(store, input.required("Name")?, decrypt)?;
    Ok(structure().with("Parameter", parameter))
}

/// `GetParameters`: at most ten names; those that cannot be found are listed.
pub(super) fn get_many(store: &Store, input: &Value) -> Result<Value, AwsError> {
    let decrypt = input.bool("WithDecryption")?.unwrap_or(false);
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names(input)? {
        match find(store, name, decrypt) {
            Ok(parameter) => found.push(parameter),
            Err(_) => invalid.push(name),
        }
    }
    Ok(structure().with("Parameters", found).with("InvalidParameters", invalid))
}

/// The list `Names`: one to ten.
pub(super) fn names(input: &Value) -> Result<Vec<&str>, AwsError> {
    let names = input.texts("Names")?;
    match names.len() {
        0 => Err(constraint("[]", "names", "Member must have length greater than or equal to 1")),
        1..=10 => Ok(names),
        _ => {
            let listed = format!("[{}]", names.join(", "));
            Err(constraint(&listed, "names", "Member must have length less than or equal to 10"))
        }
    }
}

fn find(store: &Store, name: &str, decrypt: bool) -> Result<Value, AwsError> {
    let (given, selector) = split_selector(name);
    let plain = store.plain_name(given);
    // AWS says no more than the code; whoever calls has to name the parameter.
    let missing = || AwsError::new(400, "ParameterNotFound", "");
    let parameter = store.parameters.get(plain).ok_or_else(missing)?;
    let arn = store.arn(plain);
    let Some(selector) = selector else {
        return Ok(parameter.describe(arn, plain, parameter.latest(), decrypt));
    };
    let number: i64 = selector.parse().map_err(|_| AwsError::not_implemented("ssm parameter labels"))?;
    let version = parameter.version(number).ok_or_else(|| {
        let message =
            format!("Systems Manager could not find version {number} of {plain}. Verify the version and try again.");
        AwsError::new(400, "ParameterVersionNotFound", message)
    })?;
    Ok(parameter.describe(arn, plain, version, decrypt).with("Selector", format!(":{selector}")))
}

/// `name:3` is version 3; the colons of an ARN are no selectors.
fn split_selector(name: &str) -> (&str, Option<&str>) {
    let start = if name.starts_with("arn:") { name.find(":parameter/").map_or(0, |at| at + 1) } else { 0 };
    match name.get(start..).and_then(|rest| rest.rfind(':')) {
        Some(at) => (&name[..start + at], Some(&name[start + at + 1..])),
        None => (name, None),
    }
}

/// `GetParametersByPath`: ten a page at most.
pub(super) fn by_path(store: &Store, input: &Value) -> Result<Value, AwsError> {
    let path = input.required("Path")?;
    let recursive = input.bool("Recursive")?.unwrap_or(false);
    let decrypt = input.bool("WithDecryption")?.unwrap_or(false);
    if !input.list("ParameterFilters")?.is_empty() {
        return Err(AwsError::not_implemented("ssm GetParametersByPath with ParameterFilters"));
    }
    if !path.starts_with('/') {
        return Err(AwsError::new(
            400,
            "ValidationException",
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward \
             slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, \
             numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not \
             allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: \
             /get/parameters2-/by1./path0_.",
        ));
    }
    let (page, next) = page(store, input, 10, 10, |name, _| under(name, path, recursive))?;
    let describe =
        |(name, parameter): &(&str, &Parameter)| parameter.describe(store.arn(name), name, parameter.latest(), decrypt);
    let parameters: Vec<_> = page.iter().map(describe).collect();
    Ok(structure().with("Parameters", parameters).with_some("NextToken", next))
}

fn under(name: &str, path: &str, recursive: bool) -> bool {
    let Some(rest) = name.strip_prefix(path.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/')) else {
        // A name without any slash lies in the root, one level deep.
        return path == "/" && !name.contains('/');
    };
    recursive || !rest.contains('/')
}

/// `DescribeParameters`: metadata, fifty a page at most, filtered by name, type, tier or path.
pub(super) fn describe(store: &Store, input: &Value) -> Result<Value, AwsError> {
    if !input.list("Filters")?.is_empty() {
        return Err(AwsError::not_implemented("ssm DescribeParameters with Filters: use ParameterFilters"));
    }
    let filters = input.list("ParameterFilters")?.iter().map(Filter::read).collect::<Result<Vec<_>, _>>()?;
    let matches = |name: &str, parameter: &Parameter| filters.iter().all(|filter| filter.matches(name, parameter));
    let (page, next) = page(store, input, 50, 50, matches)?;
    let parameters: Vec<_> = page.iter().map(|(name, parameter)| metadata(store, name, parameter)).collect();
    Ok(structure().with("Parameters", parameters).with_some("NextToken", next))
}

fn metadata(store: &Store, name: &str, parameter: &Parameter) -> Value {
    let latest = parameter.latest();
    structure()
        .with("Name", name)
        .with("ARN", store.arn(name))
        .with("Type", parameter.kind.name())
        .with_some("KeyId", parameter.key_id.as_ref())
        .with("LastModifiedDate", latest.modified)
        .with("LastModifiedUser", &parameter.modified_by)
        .with_some("Description", parameter.description.as_ref())
        .with("Version", latest.number)
        .with("Tier", parameter.tier.name())
        .with("Policies", Value::List(Vec::new()))
        .with("DataType", "text")
}

struct Filter<'a> {
    key: &'a str,
    option: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn read(filter: &'a Value) -> Result<Self, AwsError> {
        let key = filter.required("Key")?;
        let default = if key == "Path" { "OneLevel" } else { "Equals" };
        let option = filter.text("Option")?.unwrap_or(default);
        match (key, option) {
            ("Name", "Equals" | "BeginsWith" | "Contains")
            | ("Type" | "Tier", "Equals")
            | ("Path", "OneLevel" | "Recursive") => Ok(Self { key, option, values: filter.texts("Values")? }),
            _ => Err(AwsError::not_implemented(format_args!("ssm parameter filter {key} {option}"))),
        }
    }

    fn matches(&self, name: &str, parameter: &Parameter) -> bool {
        self.values.iter().any(|value| match (self.key, self.option) {
            ("Type", _) => parameter.kind.name() == *value,
            ("Tier", _) => parameter.tier.name() == *value,
            ("Path", option) => under(name, value, option == "Recursive"),
            (_, "BeginsWith") => name.starts_with(value),
            (_, "Contains") => name.contains(value),
            (_, _) => name == *value,
        })
    }
}

type Page<'s> = (Vec<(&'s str, &'s Parameter)>, Option<String>);

/// One page of the parameters that match, in the order of their names; the token tells the last name given.
fn page<'s>(
    store: &'s Store,
    input: &Value,
    default: i64,
    most: i64,
    matches: impl Fn(&str, &Parameter) -> bool,
) -> Result<Page<'s>, AwsError> {
    let size = input.int("MaxResults")?.unwrap_or(default);
    if size < 1 {
        return Err(constraint(&size.to_string(), "maxResults", "Member must have value greater than or equal to 1"));
    }
    if size > most {
        let rule = format!("Member must have value less than or equal to {most}");
        return Err(constraint(&size.to_string(), "maxResults", &rule));
    }
    let after = input.text("NextToken")?.filter(|token| !token.is_empty()).map(decode_token).transpose()?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut found: Vec<_> = store
        .parameters
        .iter()
        .map(|(name, parameter)| (name.as_str(), parameter))
        .filter(|(name, parameter)| after.as_deref().is_none_or(|after| *name > after) && matches(name, parameter))
        .take(size + 1)
        .collect();
    let more = found.len() > size;
    found.truncate(size);
    let next = more.then(|| found.last().map(|(name, _)| URL_SAFE_NO_PAD.encode(name))).flatten();
    Ok((found, next))
}

fn decode_token(token: &str) -> Result<String, AwsError> {
    let invalid = || AwsError::new(400, "InvalidNextToken", "The specified token isn't valid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_what_is_below_it_and_nothing_that_only_begins_alike() {
        assert!(under("/services/prod/flight", "/services/prod", false));
        assert!(under("/services/prod/flight", "/services/prod/", false));
        assert!(!under("/services/production/flight", "/services/prod", true));
        assert!(!under("/services/prod/a/b", "/services/prod", false));
        assert!(under("/services/prod/a/b", "/services/prod", true));
        assert!(under("/top", "/", false));
        assert!(under("top", "/", false));
        assert!(!under("/services/prod", "/services/prod", true));
    }

    #[test]
    fn selectors_are_told_apart_from_an_arns_colons() {
        let arn = "arn:aws:ssm:eu-central-1:111111111111:parameter/a";
        assert_eq!(split_selector(arn), (arn, None));
        assert_eq!(split_selector(&format!("{arn}:3")), (arn, Some("3")));
        assert_eq!(split_selector("/a:3"), ("/a", Some("3")));
    }
}

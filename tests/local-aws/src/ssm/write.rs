//! Changing parameters: `PutParameter`, `DeleteParameter`, `DeleteParameters`.
use super::parameter::{Kind, Parameter, Store, Tier, check_name};
use crate::codec::{Value, constraint, structure};
use crate::wire::{AwsError, Call};

/// `PutParameter`.
pub(super) fn put(store: &mut Store, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let name = input.required("Name")?;
    let name = store.plain_name(name).to_owned();
    let value = input.required("Value")?;
    let overwrite = input.bool("Overwrite")?.unwrap_or(false);
    check_name(&name)?;
    refuse_what_is_missing_here(input, overwrite)?;
    if value.is_empty() {
        return Err(constraint("", "value", "Member must have length greater than or equal to 1"));
    }
    let existing = store.parameters.get(&name);
    if existing.is_some() && !overwrite {
        return Err(AwsError::new(
            400,
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let kind = kind(existing, input.text("Type")?)?;
    let tier = tier(existing, input.text("Tier")?, value.len())?;

    let parameter = store.parameters.entry(name).or_insert_with(|| Parameter::new(kind, tier));
    parameter.tier = tier;
    parameter.modified_by.clone_from(&call.caller.arn);
    if let Some(description) = input.text("Description")? {
        parameter.description = Some(description.to_owned());
    }
    if kind == Kind::SecureString {
        parameter.key_id = Some(input.text("KeyId")?.unwrap_or("alias/aws/ssm").to_owned());
    }
    let number = parameter.push(value.to_owned(), call.now);
    Ok(structure().with("Version", number).with("Tier", tier.name()))
}

fn refuse_what_is_missing_here(input: &Value, overwrite: bool) -> Result<(), AwsError> {
    if overwrite && !input.list("Tags")?.is_empty() {
        return Err(AwsError::new(
            400,
            "ValidationException",
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    for member in ["AllowedPattern", "Policies"] {
        if input.get(member).is_some() {
            return Err(AwsError::not_implemented(format_args!("ssm PutParameter with {member}")));
        }
    }
    match input.text("DataType")? {
        None | Some("text") => Ok(()),
        Some(other) => Err(AwsError::not_implemented(format_args!("ssm PutParameter with DataType {other}"))),
    }
}

fn kind(existing: Option<&Parameter>, asked: Option<&str>) -> Result<Kind, AwsError> {
    let asked = asked
        .map(|name| {
            let set = "Member must satisfy enum value set: [SecureString, StringList, String]";
            Kind::parse(name).ok_or_else(|| constraint(name, "type", set))
        })
        .transpose()?;
    match (existing.map(|parameter| parameter.kind), asked) {
        (None, None) => {
            Err(AwsError::new(400, "ValidationException", "A parameter type is required when you create a parameter."))
        }
        (Some(before), Some(after)) if before != after => Err(AwsError::new(
            400,
            "HierarchyTypeMismatchException",
            "The parameter type can't be changed: create a new, unique parameter.",
        )),
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
    }
}

/// The tier that this write ends in; a parameter never comes down from `Advanced`.
fn tier(existing: Option<&Parameter>, asked: Option<&str>, bytes: usize) -> Result<Tier, AwsError> {
    let before = existing.map(|parameter| parameter.tier);
    let invalid = |message: String| Err(AwsError::new(400, "ValidationException", message));
    let tier = match asked {
        None => before.unwrap_or(Tier::Standard),
        Some("Intelligent-Tiering") if bytes > Tier::Standard.limit() => Tier::Advanced,
        Some("Intelligent-Tiering") => before.unwrap_or(Tier::Standard),
        Some("Advanced") => Tier::Advanced,
        Some("Standard") if before == Some(Tier::Advanced) => {
            return invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced \
                 parameter and recreate it as a standard parameter."
                    .to_owned(),
            );
        }
        Some("Standard") => Tier::Standard,
        Some(other) => {
            let set = "Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]";
            return Err(constraint(other, "tier", set));
        }
    };
    if bytes <= tier.limit() {
        return Ok(tier);
    }
    let advice = match tier {
        Tier::Standard => {
            " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more \
             information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        }
        Tier::Advanced => "",
    };
    invalid(format!(
        "{} tier parameters support a maximum parameter value of {} characters.{advice}",
        tier.name(),
        tier.limit()
    ))
}

/// `DeleteParameter`.
pub(super) fn delete(store: &mut Store, input: &Value) -> Result<Value, AwsError> {
    let name = store.plain_name(input.required("Name")?).to_owned();
    match store.parameters.remove(&name) {
        Some(_) => Ok(structure()),
        None => Err(AwsError::new(400, "ParameterNotFound", "")),
    }
}

/// `DeleteParameters`: at most ten names; those that do not exist are listed.
pub(super) fn delete_many(store: &mut Store, input: &Value) -> Result<Value, AwsError> {
    let names = super::read::names(input)?;
    let (deleted, invalid): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| {
        let plain = store.plain_name(name).to_owned();
        store.parameters.remove(&plain).is_some()
    });
    Ok(structure().with("DeletedParameters", deleted).with("InvalidParameters", invalid))
}

//! Reads a call of Lambda's control plane, as CloudTrail tells of it: which function it may have changed, and whose it was.
use release_schema::FunctionName;
use serde_json::Value;
use tidegate_runtime::hint::{Hint, Named, Place, Sighting};

use super::happening::{Happening, Unread, account, place, region, text};

/// The calls that change what Tidegate looks at. CloudTrail adds the date of the API's version to the name:
/// `UpdateAlias20150331`, `UpdateFunctionCode20150331v2`.
const WRITES: [&str; 7] = [
    "CreateAlias",
    "DeleteAlias",
    "DeleteFunction",
    "PublishVersion",
    "UpdateAlias",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
];

/// What an event of CloudTrail says. `session` is the name of our own sessions of a role that is told nowhere: Lambda names
/// those of a function's own role after the function.
pub(super) fn read(event: &Value, session: &str) -> Result<Happening, Unread> {
    if text(event, "/detail/eventSource") != Some("lambda.amazonaws.com") {
        return Ok(Happening::Nothing("it is no call of Lambda"));
    }
    if !text(event, "/detail/eventName").is_some_and(is_write) {
        return Ok(Happening::Nothing("it is no call that changes what is looked at"));
    }
    if event.pointer("/detail/errorCode").is_some_and(|code| !code.is_null()) {
        return Ok(Happening::Nothing("the call failed"));
    }
    if is_session(event, session) {
        return Ok(Happening::Own);
    }
    let named = text(event, "/detail/requestParameters/functionName").and_then(|name| function(name, place(event)));
    let (function, place) = named.ok_or(Unread::Nameless { what: "function" })?;
    let by_role = text(event, "/detail/userIdentity/sessionContext/sessionIssuer/arn").map(str::to_owned);
    Ok(Happening::Change(Sighting { hint: Hint { named: Named::Function(function), place }, by_role }))
}

fn is_write(name: &str) -> bool {
    let is_date = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'v');
    WRITES.iter().any(|write| name.strip_prefix(write).is_some_and(is_date))
}

/// Whether it was a role's session of this name: `arn:aws:sts::111111111111:assumed-role/ROLE/SESSION`.
fn is_session(event: &Value, session: &str) -> bool {
    let of_role = text(event, "/detail/userIdentity/type") == Some("AssumedRole");
    let name = text(event, "/detail/userIdentity/arn").and_then(|arn| arn.rsplit('/').next());
    of_role && !session.is_empty() && name == Some(session)
}

/// The function, and where it is, of a name as the API takes it: the name, an ARN or a part of one, each with or without a
/// qualifier.
fn function(name: &str, place: Place) -> Option<(FunctionName, Place)> {
    let mut parts = name.split(':');
    let (name, place) = if name.starts_with("arn:") {
        // `arn:aws:lambda:eu-central-1:111111111111:function:NAME:live`
        let mut parts = parts.skip(3);
        let place = Place { region: parts.next().and_then(region), account: parts.next().and_then(account) };
        (parts.nth(1)?, place)
    } else {
        let first = parts.next()?;
        match parts.next() {
            // `111111111111:function:NAME:live`
            Some("function") => (parts.next()?, Place { account: account(first), ..place }),
            // `NAME:live`
            Some(_) | None => (first, place),
        }
    };
    Some((name.parse().ok()?, place))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(name: &str, function: &Value, identity: &Value) -> Value {
        json!({
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111111111111",
            "region": "eu-central-1",
            "detail": {
                "eventSource": "lambda.amazonaws.com",
                "eventName": name,
                "userIdentity": identity,
                "requestParameters": {"functionName": function, "name": "live"},
            },
        })
    }

    fn session(role: &str, name: &str) -> Value {
        json!({
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::111111111111:assumed-role/{role}/{name}"),
            "sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::111111111111:role/path/{role}")}},
        })
    }

    fn of(event: &Value) -> Result<Happening, Unread> {
        Happening::of(event, "tidegate-main")
    }

    fn hinted(function: &str) -> (String, Option<String>, Option<String>) {
        match of(&call("UpdateAlias20150331", &json!(function), &json!({"type": "IAMUser"}))) {
            Ok(Happening::Change(Sighting { hint: Hint { named: Named::Function(name), place }, .. })) => {
                (name.to_string(), place.account, place.region)
            }
            other => panic!("no hint: {other:?}"),
        }
    }

    #[test]
    fn a_function_is_found_in_every_way_that_the_api_takes_its_name() {
        let here = ("ProdA".to_owned(), Some("111111111111".to_owned()), Some("eu-central-1".to_owned()));
        for name in ["ProdA", "ProdA:live", "111111111111:function:ProdA", "111111111111:function:ProdA:live"] {
            assert_eq!(hinted(name), here, "{name}");
        }
        let there = ("ProdA".to_owned(), Some("222222222222".to_owned()), Some("us-east-1".to_owned()));
        for qualifier in ["", ":live", ":$LATEST"] {
            let arn = format!("arn:aws:lambda:us-east-1:222222222222:function:ProdA{qualifier}");
            assert_eq!(hinted(&arn), there, "{arn}");
        }
    }

    #[test]
    fn a_name_that_no_function_can_have_is_none() {
        let long = "x".repeat(1_000);
        for bad in [json!(null), json!(7), json!(""), json!("a b"), json!("arn:aws:lambda"), json!(long), json!("../x")]
        {
            let read = of(&call("UpdateAlias20150331", &bad, &json!({})));
            assert_eq!(read, Err(Unread::Nameless { what: "function" }), "{bad}");
        }
    }

    #[test]
    fn only_calls_that_changed_something_are_hints() {
        let name = json!("ProdA");
        for write in ["UpdateAlias20150331", "UpdateFunctionCode20150331v2", "PublishVersion20150331", "CreateAlias"] {
            assert!(matches!(of(&call(write, &name, &json!({}))), Ok(Happening::Change(_))), "{write}");
        }
        for other in ["Invoke", "GetFunction20150331v2", "DeleteFunctionConcurrency20171031", "UpdateAliasX", ""] {
            assert!(matches!(of(&call(other, &name, &json!({}))), Ok(Happening::Nothing(_))), "{other}");
        }
        let mut failed = call("UpdateAlias20150331", &name, &json!({}));
        failed["detail"]["errorCode"] = json!("PreconditionFailedException");
        assert_eq!(of(&failed), Ok(Happening::Nothing("the call failed")));
        let mut foreign = call("UpdateAlias20150331", &name, &json!({}));
        foreign["detail"]["eventSource"] = json!("s3.amazonaws.com");
        assert!(matches!(of(&foreign), Ok(Happening::Nothing(_))));
    }

    #[test]
    fn the_rule_in_the_documentation_lets_through_what_is_read() {
        let documentation = include_str!("../../../../docs/configuration.md");
        let prefixes: Vec<&str> = documentation
            .lines()
            .filter_map(|line| line.trim().strip_prefix("{ \"prefix\": \"")?.split('"').next())
            .collect();
        assert_eq!(prefixes.len(), WRITES.len());
        for write in WRITES {
            assert!(prefixes.contains(&format!("{write}20").as_str()), "{write}");
        }
    }

    #[test]
    fn what_our_own_session_did_is_ours_and_the_role_of_others_is_told() {
        let name = json!("ProdA");
        assert_eq!(of(&call("UpdateAlias20150331", &name, &session("some", "tidegate-main"))), Ok(Happening::Own));
        let other = of(&call("UpdateAlias20150331", &name, &session("deployer", "ann")));
        let Ok(Happening::Change(sighting)) = other else { panic!("{other:?}") };
        assert_eq!(sighting.by_role.as_deref(), Some("arn:aws:iam::111111111111:role/path/deployer"));
        // A user of that name is a person.
        let user = json!({"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/tidegate-main"});
        assert!(matches!(of(&call("UpdateAlias20150331", &name, &user)), Ok(Happening::Change(_))));
    }
}

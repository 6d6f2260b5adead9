//! Decides what form the service registry has, and where in Parameter Store it stands.
use serde::{Deserialize, Serialize};

/// The service registry of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "form", deny_unknown_fields)]
pub enum Registry {
    /// A parameter for each service: `<path>/<environment>/<service>`.
    PerService {
        /// What its name begins with; `/services` where it is left out.
        #[serde(default = "services")]
        path: ParameterName,
    },
    /// One parameter with a JSON document of all services.
    Document {
        /// Its name; `/services/registry` where it is left out.
        #[serde(default = "document")]
        name: ParameterName,
    },
    /// There is none: the services find each other otherwise.
    None {},
}

impl Default for Registry {
    fn default() -> Self {
        Self::PerService { path: services() }
    }
}

fn services() -> ParameterName {
    ParameterName("/services".to_owned())
}

fn document() -> ParameterName {
    ParameterName("/services/registry".to_owned())
}

/// The full name of a parameter, or the beginning of one: with a slash before it, and none behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterName(String);

impl ParameterName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ParameterName {
    type Error = String;

    /// Parameter Store's rules for names, and one of ours: the controller's own configuration is never written over.
    fn try_from(name: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        let segments = name.strip_prefix('/').unwrap_or_default();
        let sound = name.len() <= 500 && name.chars().all(allowed) && segments.split('/').all(|part| !part.is_empty());
        let first = segments.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let reserved = first.starts_with("aws") || first.starts_with("ssm") || first == "tidegate";
        match (sound, reserved) {
            (true, false) => Ok(Self(name)),
            (true, true) => Err(format!("`/{first}` is not for the service registry; the default is `/services`")),
            (false, _) => Err("it should be the name of a parameter, such as `/services/registry`".to_owned()),
        }
    }
}

impl From<ParameterName> for String {
    fn from(name: ParameterName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_a_form_and_a_place() {
        let parse = |text: &str| serde_yaml::from_str::<Registry>(text);
        assert_eq!(parse("{form: perService}").unwrap(), Registry::default());
        assert_eq!(parse("{form: document}").unwrap(), Registry::Document { name: document() });
        let name = ParameterName("/shop/staging.registry".to_owned());
        assert_eq!(parse("{form: document, name: /shop/staging.registry}").unwrap(), Registry::Document { name });
        assert_eq!(parse("{form: none}").unwrap(), Registry::None {});
        for bad in [
            "{}",
            "{form: file}",
            "{form: none, path: /a}",
            "{form: document, path: /a}",
            "{form: perService, name: /a}",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for bad in
            ["services", "/", "/services/", "//a", "/a b", "/a$", "/aws/a", "/SSM/a", "/tidegate/main/installation"]
        {
            assert!(parse(&format!("{{form: document, name: {bad:?}}}")).is_err(), "{bad}");
        }
    }
}

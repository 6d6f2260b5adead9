//! What the release team writes: the content of each environment, as data and as the files of a commit.
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// An environment and a service of it.
pub type Place = (&'static str, &'static str);

/// The services that worlds have, and what their functions' names end with.
pub const SERVICES: [(&str, &str); 2] =
    [("flight-service", "FlightService"), ("reservation-service", "ReservationService")];

/// The environments that worlds have, and what their functions' names begin with.
pub const ENVIRONMENTS: [(&str, &str); 2] = [("staging", "Staging"), ("production", "Production")];

/// The function of a service in an environment.
#[must_use]
pub fn function(place: Place) -> String {
    let named = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map_or("Unknown", |(_, part)| *part)
    };
    format!("{}{}", named(&ENVIRONMENTS, place.0), named(&SERVICES, place.1))
}

/// How a release gets its traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All of it at once.
    AllAtOnce,
    /// Weights in percent, each with how many minutes it is held; none: until a person promotes.
    Canary(Vec<(u8, Option<u32>)>),
    /// Prepared behind a preview alias, then all of it, and watched for so many minutes.
    BlueGreen {
        /// Minutes.
        bake: u32,
    },
}

/// What Git wants of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tag. One that contains `bad` fails its smoke test and half of its requests.
    pub tag: String,
    /// How it gets its traffic.
    pub strategy: Strategy,
    /// Whether its metrics are judged.
    pub judged: bool,
    /// Whether an alarm gates it.
    pub alarmed: bool,
    /// Whether it has a smoke test.
    pub smoke: bool,
    /// Memory in MB, where Git says so.
    pub memory: Option<u32>,
    /// Reserved concurrency, where Git says so.
    pub concurrency: Option<u32>,
}

impl Wanted {
    /// This tag, all at once, with nothing to pass.
    #[must_use]
    pub fn plain(tag: &str) -> Self {
        let (judged, alarmed, smoke) = (false, false, false);
        let (tag, strategy, memory, concurrency) = (tag.to_owned(), Strategy::AllAtOnce, None, None);
        Self { tag, strategy, judged, alarmed, smoke, memory, concurrency }
    }

    /// The same with another tag.
    #[must_use]
    pub fn at(&self, tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..self.clone() }
    }

    /// The declared weights in percent, all traffic at the end.
    #[must_use]
    pub fn steps(&self) -> Vec<u8> {
        match &self.strategy {
            Strategy::AllAtOnce | Strategy::BlueGreen { .. } => vec![100],
            Strategy::Canary(steps) => steps.iter().map(|(weight, _)| *weight).chain([100]).collect(),
        }
    }

    /// How many minutes a release takes at least, once its version can serve; none where a person has to say so.
    #[must_use]
    pub fn minutes(&self) -> u32 {
        match &self.strategy {
            Strategy::AllAtOnce => 0,
            Strategy::BlueGreen { bake } => *bake,
            Strategy::Canary(steps) => steps.iter().filter_map(|(_, minutes)| *minutes).sum(),
        }
    }

    fn yaml(&self, place: Place) -> String {
        let Self { tag, strategy, judged, alarmed, smoke, memory, concurrency } = self;
        let (environment, service) = place;
        let mut text = format!(
            "  {service}:\n    imageTag: \"{tag}\"\n    functionName: {}\n    ecrRepository: company/{service}\n",
            function((environment, service))
        );
        let mut line = |line: &str| {
            let _infallible = writeln!(text, "    {line}");
        };
        match strategy {
            Strategy::AllAtOnce => {}
            Strategy::BlueGreen { bake } => {
                line(&format!(
                    "strategy: {{ blueGreen: {{ previewAlias: candidate, autoPromote: true, bake: {bake}m }} }}"
                ));
            }
            Strategy::Canary(steps) => {
                let steps: Vec<String> = steps
                    .iter()
                    .map(|(weight, minutes)| {
                        let pause = minutes.map_or(String::new(), |minutes| format!(" duration: {minutes}m "));
                        format!("{{ setWeight: {weight} }}, {{ pause: {{{pause}}} }}")
                    })
                    .collect();
                line(&format!("strategy: {{ canary: {{ steps: [{}] }} }}", steps.join(", ")));
            }
        }
        let alarms = if *alarmed { format!("alarms: [{}]", alarm(place)) } else { String::new() };
        match (judged, alarmed) {
            (true, _) => line(&format!("analysis: {{ maxErrorRate: 5%, minInvocations: 20, {alarms} }}")),
            (false, true) => line(&format!("analysis: {{ {alarms} }}")),
            (false, false) => {}
        }
        if *smoke {
            line("smokeTest: { payload: { path: /health }, expectStatus: 200 }");
        }
        if let Some(memory) = memory {
            line(&format!("memorySize: {memory}"));
        }
        if let Some(concurrency) = concurrency {
            line(&format!("reservedConcurrency: {concurrency}"));
        }
        text
    }
}

/// The name of a service's alarm.
#[must_use]
pub fn alarm((environment, service): Place) -> String {
    format!("{environment}-{service}-5xx")
}

/// What is wrong with an environment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is no YAML.
    NoYaml,
    /// A service is there twice, the second time with another tag.
    Twice,
}

/// What one commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Every service of every environment.
    pub services: BTreeMap<Place, Wanted>,
    /// Environments whose file is not valid in this commit.
    pub broken: BTreeMap<&'static str, Flaw>,
}

impl Content {
    /// The environments that it has.
    #[must_use]
    pub fn environments(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.services.keys().map(|(environment, _)| *environment).collect();
        names.dedup();
        names
    }

    /// The files of the commit.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut config = "environments:\n".to_owned();
        for environment in self.environments() {
            let _infallible = writeln!(config, "  {environment}: {{}}");
            let mut text = "services:\n".to_owned();
            for ((_, service), wanted) in self.services.iter().filter(|((name, _), _)| *name == environment) {
                text.push_str(&wanted.yaml((environment, service)));
            }
            match self.broken.get(environment) {
                None => {}
                Some(Flaw::NoYaml) => text.push_str("  : ]\n"),
                Some(Flaw::Twice) => {
                    let first = self.services.iter().find(|((name, _), _)| *name == environment);
                    text.extend(first.map(|((_, service), wanted)| wanted.at("v1.2.0").yaml((environment, service))));
                }
            }
            files.insert(format!("environments/{environment}/services.yaml"), text);
        }
        files.insert("release-config.yaml".to_owned(), config);
        files
    }
}

//! Shows what Git would change, as a unified diff of live against wanted. Environment values are masked.
use std::fmt::Write as _;

use release_schema::Service;
use similar::TextDiff;

use crate::live::{LiveConfiguration, LiveVersion};
use crate::release::{Code, Release};

/// One service's difference.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// What Git says of the service.
    pub service: &'a Service,
    /// What it resolves to.
    pub wanted: &'a Release,
    /// The alias's primary version, where there is one.
    pub live: Option<&'a LiveVersion>,
    /// What live is called, where that is known.
    pub live_tag: Option<&'a str>,
}

const MASK: &str = "********";

impl Difference<'_> {
    /// A unified diff with the given names of its two sides; empty where nothing differs.
    #[must_use]
    pub fn unified(&self, live_name: &str, wanted_name: &str) -> String {
        let (old, new) = (self.live_text(), self.wanted_text());
        TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).header(live_name, wanted_name).to_string()
    }

    fn live_text(&self) -> String {
        let Some(live) = self.live else { return String::new() };
        let mut text = self.head();
        if let Some(code) = &live.code {
            // A tag is a name and no content: the same code under another name is no difference.
            let wanted_tag = self.wanted.tag.as_ref().map(release_schema::Tag::as_str);
            push_code(&mut text, code, if *code == self.wanted.code { wanted_tag } else { self.live_tag });
        }
        let LiveConfiguration { memory_size, timeout, environment } = &live.configuration;
        let declared = &self.service.configuration;
        push_number(&mut text, "memorySize", declared.memory_size.map(|_| *memory_size));
        push_number(&mut text, "timeout", declared.timeout.map(|_| *timeout));
        for (name, wanted) in &declared.environment {
            let note = match environment.as_ref().map(|values| values.get(name)) {
                None => " (cannot be decrypted)",
                Some(None) => continue,
                Some(Some(value)) if value == wanted => "",
                Some(Some(_)) => " (live value)",
            };
            let _ = writeln!(text, "environment.{name}: {MASK}{note}");
        }
        let reserved = self.service.reserved_concurrency.and(live.reserved_concurrency);
        push_number(&mut text, "reservedConcurrency", reserved);
        text
    }

    fn wanted_text(&self) -> String {
        let mut text = self.head();
        push_code(&mut text, &self.wanted.code, self.wanted.tag.as_ref().map(|tag| tag.as_str()));
        let declared = &self.service.configuration;
        push_number(&mut text, "memorySize", declared.memory_size);
        push_number(&mut text, "timeout", declared.timeout);
        let live = self.live.and_then(|live| live.configuration.environment.as_ref());
        for (name, value) in &declared.environment {
            let changed = live.and_then(|live| live.get(name)).is_some_and(|live| live != value);
            let note = if changed { " (value in Git)" } else { "" };
            let _ = writeln!(text, "environment.{name}: {MASK}{note}");
        }
        push_number(&mut text, "reservedConcurrency", self.service.reserved_concurrency);
        text
    }

    fn head(&self) -> String {
        format!("function: {}\nalias: {}\n", self.service.function, self.service.alias)
    }
}

fn push_code(text: &mut String, code: &Code, tag: Option<&str>) {
    if let Some(tag) = tag {
        let _ = writeln!(text, "imageTag: {tag}");
    }
    let field = match code {
        Code::Image(_) => "digest",
        Code::Zip(_) => "codeSha256",
    };
    let _ = writeln!(text, "{field}: {code}");
}

fn push_number(text: &mut String, field: &str, value: Option<u32>) {
    if let Some(value) = value {
        let _ = writeln!(text, "{field}: {value}");
    }
}

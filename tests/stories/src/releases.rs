//! A release repository on a Git server, as stories change it: commits that are pushed to `main`.
use git_server::{GitServer, GithubApp, Keys, Options, Repository, WorkTree};

use crate::release_repository::push_sample;

/// The name of the repository on its server.
const NAME: &str = "releases.git";

/// A release repository, its server, and the release team's work tree.
#[derive(Debug)]
pub struct Releases {
    /// The server: it can be told to misbehave.
    pub server: GitServer,
    /// The bare repository.
    pub repository: Repository,
    /// The work tree, which pushes to it.
    pub tree: WorkTree,
    _dir: tempfile::TempDir,
}

/// The file of an environment.
fn file(environment: &str) -> String {
    format!("environments/{environment}/services.yaml")
}

impl Releases {
    /// The sample of this project.
    #[must_use]
    pub fn sample() -> Self {
        Self::begin(Options::default(), |repository, dir| push_sample(repository, dir).expect("the sample"))
    }

    /// The sample, for those alone who know the password.
    #[must_use]
    pub fn private(user: &str, password: &str) -> Self {
        let options = Options { credential: Some((user.to_owned(), password.to_owned())), ..Options::default() };
        Self::begin(options, |repository, dir| push_sample(repository, dir).expect("the sample"))
    }

    /// The sample, for the tokens of a GitHub App alone.
    #[must_use]
    pub fn of_github_app(keys: &Keys) -> Self {
        let options = Options { github: Some(GithubApp::new("releases", keys)), ..Options::default() };
        Self::begin(options, |repository, dir| push_sample(repository, dir).expect("the sample"))
    }

    /// One environment, `staging`, with just these services.
    #[must_use]
    pub fn of(services: &str) -> Self {
        let releases = Self::begin(Options::default(), |repository, dir| repository.work_tree(dir).expect("a tree"));
        releases.write("release-config.yaml", "environments:\n  staging: {}\n");
        releases.write(&file("staging"), services);
        releases.push("Begin");
        releases
    }

    /// One environment, `staging`, with `flight-service` at `v1.0.0`.
    #[must_use]
    pub fn one_service() -> Self {
        Self::of(
            "services:\n  flight-service:\n    imageTag: \"v1.0.0\"\n    functionName: StagingFlightService\n    \
             ecrRepository: company/flight-service\n",
        )
    }

    fn begin(options: Options, tree: impl FnOnce(&Repository, std::path::PathBuf) -> WorkTree) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("git");
        let repository = Repository::create(root.join(NAME)).expect("a repository");
        let tree = tree(&repository, dir.path().join("tree"));
        let server = GitServer::start(&root, options).expect("a Git server");
        Self { server, repository, tree, _dir: dir }
    }

    /// Where the controller reads it.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(NAME)
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, content: &str) {
        self.tree.write(path, content).expect("a file");
    }

    /// A file of the work tree.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.tree.dir().join(path)).expect("a file")
    }

    /// Commits everything and pushes it; gives the commit.
    pub fn push(&self, message: &str) -> String {
        let commit = self.tree.commit(message).expect("a commit");
        self.tree.push().expect("a push");
        commit
    }

    /// What an environment's file says.
    #[must_use]
    pub fn services(&self, environment: &str) -> String {
        self.read(&file(environment))
    }

    /// Replaces an environment's file, and pushes that.
    pub fn replace(&self, environment: &str, content: &str) -> String {
        self.write(&file(environment), content);
        self.push(&format!("Change {environment}"))
    }

    /// Puts lines below the name of a service, and pushes that.
    pub fn add(&self, environment: &str, service: &str, lines: &[&str]) -> String {
        let name = format!("  {service}:\n");
        let text = self.services(environment);
        assert!(text.contains(&name), "no {service} in {text}");
        let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        self.replace(environment, &text.replace(&name, &format!("{name}{lines}")))
    }

    /// The merge of a new tag for one service of staging; gives the commit.
    pub fn merge(&self, service: &str, tag: &str) -> String {
        self.merge_into("staging", service, tag)
    }

    /// The merge of a new tag for one service of an environment; gives the commit.
    pub fn merge_into(&self, environment: &str, service: &str, tag: &str) -> String {
        let text = self.services(environment);
        let name = format!("  {service}:");
        let mut within = false;
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                if line.starts_with("  ") && !line.starts_with("   ") {
                    within = line == name;
                }
                let key = within && line.trim_start().starts_with("imageTag:");
                if key { format!("    imageTag: \"{tag}\"") } else { line.to_owned() }
            })
            .collect();
        self.write(&file(environment), &format!("{}\n", lines.join("\n")));
        self.push(&format!("Release {service} {tag} to {environment}"))
    }

    /// Moves `main` to a commit that was pushed before, or back to it.
    pub fn move_main_to(&self, commit: &str) {
        self.repository.git(["update-ref", "refs/heads/main", commit]).expect("a branch");
    }
}

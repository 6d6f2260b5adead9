//! Decides where a person opens the pull request for a branch: a page that GitHub and GitLab have, and Git does not.
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::git::Remote;

/// The page that compares `branch` with the branch that is deployed. `None` for a host that is neither GitHub nor GitLab,
/// nor called so (`github.example.com`).
#[must_use]
pub fn compare_url(remote: &Remote, branch: &str) -> Option<String> {
    let url = Url::parse(remote.url()).ok()?;
    let repository = url.path().trim_end_matches('/');
    let repository = repository.strip_suffix(".git").unwrap_or(repository);
    let is_called = |name: &str| url.host_str().is_some_and(|host| host.split('.').any(|label| label == name));
    let (page, query) = if is_called("github") {
        ("compare", "?expand=1")
    } else if is_called("gitlab") {
        ("-/compare", "")
    } else {
        return None;
    };
    let (scheme, host) = (url.scheme(), remote.host());
    let (base, branch) = (escaped(remote.branch()), escaped(branch));
    Some(format!("{scheme}://{host}{repository}/{page}/{base}...{branch}{query}"))
}

/// A branch's name within a path: its slashes stay.
fn escaped(branch: &str) -> String {
    let parts: Vec<String> = branch.split('/').map(|part| byte_serialize(part.as_bytes()).collect()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::compare_url;
    use crate::git::Remote;

    fn url(remote: &str, base: &str) -> Option<String> {
        compare_url(&Remote::new(remote, base).unwrap(), "tidegate/rollback/production/a/42")
    }

    #[test]
    fn github_and_gitlab_have_a_page_also_inside_a_company() {
        for (remote, page) in [
            ("https://github.com/acme/releases.git", "https://github.com/acme/releases/compare/main...B?expand=1"),
            ("https://github.acme.example/x/y/", "https://github.acme.example/x/y/compare/main...B?expand=1"),
            ("https://gitlab.com/acme/team/releases", "https://gitlab.com/acme/team/releases/-/compare/main...B"),
            ("https://gitlab.acme.example:8443/x/y.git", "https://gitlab.acme.example:8443/x/y/-/compare/main...B"),
        ] {
            let page = page.replace('B', "tidegate/rollback/production/a/42");
            assert_eq!(url(remote, "main"), Some(page));
        }
    }

    #[test]
    fn other_hosts_have_none_that_we_know() {
        for remote in ["https://git.acme.example/x.git", "https://notgithub.com/x/y", "http://127.0.0.1:8080/r.git"] {
            assert_eq!(url(remote, "main"), None, "{remote}");
        }
    }

    #[test]
    fn a_branch_cannot_leave_its_place_in_the_url() {
        let page = url("https://github.com/x/y", "release/a%b#c&d").unwrap();
        assert!(page.starts_with("https://github.com/x/y/compare/release/a%25b%23c%26d...tidegate/"), "{page}");
    }
}

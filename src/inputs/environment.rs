//! The environment of the process, and what programs get of it.

use std::{collections::BTreeMap, fmt};

/// Variables without which programs do not find their files, the network or Docker. None of them is a secret of a step.
const FOR_PROGRAMS: [&str; 28] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "KIND_EXPERIMENTAL_DOCKER_NETWORK",
    "KUSTOMIZE_PLUGIN_HOME",
    "RUNNER_TRACKING_ID",
];

/// What a test on this machine gets beside these: where Python, its packages and certificates are, and the time zone.
const FOR_TESTS: [&str; 8] = [
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "JUPYTER_PATH",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "TZ",
];

/// How the variables begin that git reads: how it signs in, and its settings, but for what only logs.
const FOR_GIT: [&str; 6] = [
    "GIT_ASKPASS",
    "GIT_CONFIG",
    "GIT_SSH",
    "GIT_SSL",
    "GIT_TERMINAL_PROMPT",
    "SSH_AUTH_SOCK",
];

/// The environment of the process, taken once in `main`. No room reads the process's own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that are valid Unicode and not empty.
    pub fn of_process() -> Self {
        Self::of(
            std::env::vars_os().filter_map(|(key, value)| {
                Some((key.into_string().ok()?, value.into_string().ok()?))
            }),
        )
    }

    /// These variables, without the empty ones.
    pub fn of<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(
            vars.into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .filter(|(_, value): &(String, String)| !value.trim().is_empty())
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a variable for what reads this environment later (an empty one is absent); the process's own stays.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
        self.0.retain(|_, value| !value.trim().is_empty());
    }

    /// All of them; values may be secrets.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The variable that names a proxy for HTTPS, and its value, as curl looks for it.
    pub fn https_proxy(&self) -> Option<(&'static str, &str)> {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        names
            .into_iter()
            .find_map(|name| Some((name, self.get(name)?)))
    }

    /// What a program of others is started with: all that it may need to run, and no secret of this step.
    pub fn for_programs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| FOR_PROGRAMS.contains(name))
    }

    /// The same, and what tells git how to fetch from a private repository.
    pub fn for_git(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_of_git = |name: &str| FOR_GIT.iter().any(|start| name.starts_with(start));
        self.iter()
            .filter(move |(name, _)| FOR_PROGRAMS.contains(name) || is_of_git(name))
    }

    /// What a test on this machine is started with: what programs get, the locale, and where its Python finds things.
    pub fn for_tests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| {
            FOR_PROGRAMS.contains(name) || FOR_TESTS.contains(name) || name.starts_with("LC_")
        })
    }

    /// Whether a GitHub runner (or something that acts as one) started this process.
    pub fn on_runner(&self) -> bool {
        self.get("GITHUB_ACTIONS") == Some("true")
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_what_it_needs_and_no_secret() {
        let env = Environment::of([
            ("PATH", "/bin"),
            ("HTTPS_PROXY", "http://p"),
            ("LC_CTYPE", "C.UTF-8"),
            ("PYTHONPATH", "src"),
            ("GIT_SSH_COMMAND", "ssh -i key"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("GITHUB_TOKEN", "hush"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hush"),
            ("INPUT_PRIVATE_KEY", "hush"),
        ]);
        let names = |vars: Vec<(&str, &str)>| -> Vec<String> {
            vars.into_iter().map(|(name, _)| name.to_owned()).collect()
        };
        let all = names(env.for_programs().collect());
        assert_eq!(all, ["HTTPS_PROXY", "PATH"]);
        let git = names(env.for_git().collect());
        assert_eq!(git, ["GIT_SSH_COMMAND", "HTTPS_PROXY", "PATH"]);
        let test = names(env.for_tests().collect());
        assert_eq!(test, ["HTTPS_PROXY", "LC_CTYPE", "PATH", "PYTHONPATH"]);
    }
}

//! `python_paths`: where Python finds the functions that make workflows, and which repositories have to be there for it.

use serde_json::Value;

use super::Config;

/// Always there in Prow's jobs, with the tools that `py_func` is called by.
const TOOLS: &str = "kubeflow/testing/py";

/// A path that can stand in `PYTHONPATH` below the tree of repositories.
pub(super) fn checked(value: &Value) -> Result<String, String> {
    let Value::String(path) = value else {
        return Err(format!("{value} in `python_paths` is no text"));
    };
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let is_plain = |part: &&str| !part.is_empty() && !part.starts_with('.');
    if parts.len() < 2
        || !parts.iter().all(is_plain)
        || path.contains([':', ','])
        || path.chars().any(char::is_control)
    {
        return Err(format!(
            "`{}` in `python_paths` is not of the form owner/name/path",
            path.escape_default()
        ));
    }
    Ok(path.clone())
}

/// `python_paths` of this repository, and that of the tools, which comes last where it is not named.
fn all(config: &Config, owner: &str, name: &str) -> Vec<String> {
    let needs_python = config
        .workflows
        .iter()
        .any(|one| !one.text("py_func").is_empty());
    let named = config.python_paths.iter().map(|path| {
        path.replace("${REPO_OWNER}", owner)
            .replace("${REPO_NAME}", name)
    });
    let mut paths: Vec<String> = named.collect();
    if (needs_python || !paths.is_empty()) && !paths.iter().any(|path| path == TOOLS) {
        paths.push(TOOLS.to_owned());
    }
    paths
}

/// As in `PYTHONPATH`, relative to the directory that has each repository at `owner/name`; empty where nothing needs Python.
pub fn python_path(config: &Config, owner: &str, name: &str) -> String {
    all(config, owner, name).join(":")
}

/// The other repositories of these paths, `owner/name`, each once.
pub fn repositories(config: &Config, owner: &str, name: &str) -> Vec<String> {
    let own = format!("{owner}/{name}");
    let mut found: Vec<String> = Vec::new();
    for path in all(config, owner, name) {
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        let repository = parts[..2].join("/");
        if repository != own && !found.contains(&repository) {
            found.push(repository);
        }
    }
    found
}

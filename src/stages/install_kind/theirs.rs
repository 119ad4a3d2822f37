//! The inputs of kubeflow/testing's `create-cluster`, which this stage carries out under `--exact-name`.
//!
//! Two of them mean something else there, and a refusal names the input that the workflow has.

use crate::{
    cli::InstallArgs,
    report::{BadInput, Failure},
    tools::{
        ToolError,
        versions::{self, KindVersions},
    },
};

/// Our name of an input, then theirs.
const NAMES: [(&str, &str); 4] = [
    ("cluster", "cluster_name"),
    ("kind-version", "kind_version"),
    ("kubernetes-version", "k8s_version"),
    ("node-image", "node_image"),
];

/// kind and the node image. `node_image` alone decides; theirs takes `k8s_version` for kubectl, so the two may differ.
///
/// # Errors
/// [`BadInput`] for one of the two that is empty (GitHub does not refuse that), or a version that is none.
pub(super) fn versions(args: &InstallArgs) -> Result<KindVersions, BadInput> {
    let given = |input, value: Option<&String>| {
        let value = value.map(|value| value.trim()).unwrap_or_default();
        if value.is_empty() {
            return Err(BadInput {
                input,
                reason: "it is required, and empty".to_owned(),
                remedy: Some("an expression such as `matrix.NAME` may be misspelt".to_owned()),
            });
        }
        Ok(value.to_owned())
    };
    let kubernetes = given("k8s_version", args.kubernetes_version.as_ref())?;
    let image = given("node_image", args.node_image.as_ref())?;
    versions::check_kubernetes(&kubernetes).map_err(|error| renamed(args, error))?;
    versions::choose(args.kind_version.as_deref(), None, Some(&image))
        .map_err(|error| renamed(args, error))
}

/// The same refusal, of the input as the workflow names it.
pub(super) fn renamed(args: &InstallArgs, mut error: BadInput) -> BadInput {
    let theirs = NAMES.iter().find(|(ours, _)| *ours == error.input);
    if let (true, Some((_, theirs))) = (args.exact_name, theirs) {
        error.input = theirs;
    }
    error
}

/// The refusal of a kind that nothing pins: there is no `tools-dir` in theirs.
pub(super) fn kind_refused(args: &InstallArgs, error: ToolError) -> Failure {
    match error {
        ToolError::Unknown { version, known, .. } if args.exact_name => BadInput {
            input: "kind_version",
            reason: format!("no SHA-256 is known for kind {version}"),
            remedy: Some(format!(
                "use one of {}, or put kind {version} on PATH in a step before",
                known.join(", ")
            )),
        }
        .into(),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{cli, cli::Cli, report::Exit, stages::install_kind};

    fn args(words: &[&str]) -> InstallArgs {
        let head = ["manifests-e2e", "install-kind"];
        let cli = Cli::try_parse_from(head.iter().chain(words)).unwrap();
        let cli::Command::InstallKind(staged) = cli.command else {
            panic!("another command");
        };
        staged.args
    }

    #[test]
    fn the_node_image_decides_and_the_version_of_kubectl_may_be_another() {
        let pair = [
            "--kubernetes-version=v1.35.0",
            "--node-image=kindest/node:v1.36.1",
        ];

        let theirs = versions(&args(&[&["--exact-name"], &pair[..]].concat())).unwrap();
        let ours = install_kind::check(&args(&pair)).unwrap_err();

        assert_eq!(theirs.node_image, "kindest/node:v1.36.1");
        assert_eq!(theirs.kubernetes.as_deref(), Some("v1.36.1"));
        assert_eq!(ours.exit, Exit::BadInput);
    }

    #[test]
    fn a_refusal_names_the_input_that_the_workflow_has() {
        let (version, image) = (
            "--kubernetes-version=v1.36.1",
            "--node-image=kindest/node:v1.36.1",
        );
        for (words, input) in [
            (vec![image], "k8s_version"),
            (vec![version], "node_image"),
            (vec![version, "--node-image="], "node_image"),
            (vec!["--kubernetes-version=newest", image], "k8s_version"),
            (vec![version, image, "--cluster=Not_A_Name"], "cluster_name"),
        ] {
            let exact = args(&[&["--exact-name"], &words[..]].concat());
            let failure = install_kind::check(&exact).unwrap_err();
            assert_eq!(failure.exit, Exit::BadInput);
            assert!(
                failure.cause.starts_with(&format!("{input}: ")),
                "{}",
                failure.cause
            );
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_way_that_they_have() {
        let error = || ToolError::Unknown {
            tool: "kind",
            version: "v0.30.0".to_owned(),
            arch: "amd64",
            known: versions::known(crate::tools::Tool::Kind),
        };

        let exact = kind_refused(&args(&["--exact-name"]), error());
        let ours = kind_refused(&args(&[]), error());

        assert_eq!((exact.exit, ours.exit), (Exit::BadInput, Exit::BadInput));
        assert!(exact.cause.starts_with("kind_version: "), "{}", exact.cause);
        let (exact, ours) = (exact.hint.unwrap(), ours.hint.unwrap());
        assert!(
            exact.contains("v0.33.0") && exact.contains("PATH"),
            "{exact}"
        );
        assert!(!exact.contains("tools-dir"), "{exact}");
        assert!(ours.contains("tools-dir"), "{ours}");
    }

    #[test]
    fn an_input_of_ours_keeps_its_name_without_that_option() {
        let failure = install_kind::check(&args(&["--cluster=Not_A_Name"])).unwrap_err();
        assert!(failure.cause.starts_with("cluster: "), "{}", failure.cause);
    }
}

//! Title and icon of each action.

use manifests_e2e::stages::Stage;

/// How the marketplace shows it.
pub(super) const fn face(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::ProvisionEc2 => ("Provision EC2", "server"),
        Stage::InstallKind => ("Install KinD", "box"),
        Stage::DeployManifests => ("Deploy manifests", "layers"),
        Stage::RunMnistNotebookJob => ("Run notebook Job", "book-open"),
        Stage::GatherLogs => ("Gather logs", "archive"),
        Stage::Teardown => ("Tear down", "trash-2"),
        Stage::Extend => ("Extend", "clock"),
        Stage::Reap => ("Reap", "wind"),
        Stage::Doctor => ("Doctor", "heart"),
        Stage::Plan => ("Plan", "list"),
        Stage::Publish => ("Publish", "message-square"),
        Stage::Commands => ("Commands", "terminal"),
    }
}

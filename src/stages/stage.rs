//! The stages by name, and what each sets.

/// The six stages of the chain and what stands beside it; each is an action, a subcommand and a file of this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `provision-ec2`
    ProvisionEc2,
    /// `install-kind`
    InstallKind,
    /// `deploy-manifests`
    DeployManifests,
    /// `run-mnist-notebook-job`
    RunMnistNotebookJob,
    /// `gather-logs`
    GatherLogs,
    /// `teardown`
    Teardown,
    /// `extend`, beside the chain
    Extend,
    /// `reap`, beside the chain
    Reap,
    /// `doctor`, before the chain
    Doctor,
    /// `plan`, before the chain
    Plan,
    /// `publish`, after the chain
    Publish,
    /// `commands`, before the chain
    Commands,
}

impl Stage {
    /// All of them: those of the chain in its order, then the others.
    pub const ALL: [Self; 12] = [
        Self::ProvisionEc2,
        Self::InstallKind,
        Self::DeployManifests,
        Self::RunMnistNotebookJob,
        Self::GatherLogs,
        Self::Teardown,
        Self::Extend,
        Self::Reap,
        Self::Doctor,
        Self::Plan,
        Self::Publish,
        Self::Commands,
    ];

    /// Whether it is one of the chain.
    pub const fn in_chain(self) -> bool {
        !matches!(
            self,
            Self::Extend | Self::Reap | Self::Doctor | Self::Plan | Self::Publish | Self::Commands
        )
    }

    /// Whether it collects, ends or tells what there is: no full disk may keep it from that.
    pub(super) const fn must_run(self) -> bool {
        matches!(
            self,
            Self::GatherLogs | Self::Teardown | Self::Reap | Self::Doctor | Self::Publish
        )
    }

    /// Whether the job has failed where this has.
    pub(super) const fn decides(self) -> bool {
        self.in_chain() && !self.must_run()
    }

    /// The one name of action, subcommand and stage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProvisionEc2 => "provision-ec2",
            Self::InstallKind => "install-kind",
            Self::DeployManifests => "deploy-manifests",
            Self::RunMnistNotebookJob => "run-mnist-notebook-job",
            Self::GatherLogs => "gather-logs",
            Self::Teardown => "teardown",
            Self::Extend => "extend",
            Self::Reap => "reap",
            Self::Doctor => "doctor",
            Self::Plan => "plan",
            Self::Publish => "publish",
            Self::Commands => "commands",
        }
    }

    /// The outputs of its action, each with what it is, beside `failure`.
    pub const fn outputs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ProvisionEc2 => &[
                (
                    "instance-id",
                    "Id of the instance; empty for other providers",
                ),
                ("public-ip", "Address at which the host answers"),
                ("region", "AWS region of the instance"),
                ("availability-zone", "Availability zone of the instance"),
                ("instance-type", "Type of the instance"),
                ("market", "`on-demand` or `spot`"),
                ("ami", "Image that the instance was launched from"),
                (
                    "expires-at",
                    "When the instance terminates itself (RFC 3339)",
                ),
                ("run-id", "Name of this run, as in the tags"),
            ],
            Self::InstallKind => &[
                (
                    "kubeconfig",
                    "Path of a kubeconfig that works in every later step of this job",
                ),
                ("context", "Context of the cluster in the kubeconfig"),
                ("kubernetes-version", "Version that the API server reports"),
                ("kind-version", "Version of kind"),
                ("node-image", "Image of the nodes"),
            ],
            Self::DeployManifests => &[
                ("objects", "Number of objects applied"),
                (
                    "report",
                    "Path of a JSON file with what became of each object, and when",
                ),
                ("diff", "Path of a file with what a dry run shows"),
            ],
            Self::RunMnistNotebookJob => &[
                (
                    "verdict",
                    "`passed`, `failed`, or `error` where the test did not begin or was lost",
                ),
                ("junit", "Path of the JUnit report, a case for each cell"),
                ("executed-notebook", "Path of the notebook with its outputs"),
            ],
            Self::GatherLogs => &[
                ("bundle", "Path of the bundle, a zip file"),
                ("report", "Path of the report, one HTML file"),
                (
                    "cause",
                    "The cause in one line, as the first stage that failed reported it; empty when all passed. Where no stage of ours ran, the first problem found in the cluster",
                ),
                ("s3-url", "Where the bundle is in S3"),
            ],
            Self::Teardown => &[
                ("terminated", "Ids of what was removed, one a line"),
                (
                    "leftovers",
                    "Ids of what is left, one a line; empty when all is gone",
                ),
                (
                    "kept-until",
                    "When the host that was kept after a failure terminates itself (RFC 3339); empty when none was kept",
                ),
            ],
            Self::Extend => &[(
                "expires-at",
                "When the instance terminates itself now (RFC 3339)",
            )],
            Self::Reap => &[
                (
                    "terminated",
                    "Ids of what was ended and proven gone, one a line",
                ),
                (
                    "leftovers",
                    "Ids of what was left behind and is still there, one a line",
                ),
            ],
            Self::Doctor => &[
                (
                    "missing",
                    "What the chain cannot run without, one a line; empty when it can run",
                ),
                ("warnings", "What else to know, one a line"),
            ],
            Self::Plan => PLAN,
            Self::Publish => PUBLISH,
            Self::Commands => COMMANDS,
        }
    }
}

/// Outputs of `plan`.
const PLAN: &[(&str, &str)] = &[
    (
        "matrix",
        "The jobs, as JSON for `strategy.matrix`: an entry for each workflow that runs, on each combination of versions",
    ),
    (
        "any",
        "`true` where there is a job, else `false`; the job with the matrix has it in its `if`",
    ),
    (
        "skipped",
        "The workflows that do not run, as a JSON list of `name` and `why`",
    ),
    (
        "job-type",
        "`presubmit`, `postsubmit`, `periodic` or `batch`",
    ),
    ("job-name", "Name of the job, as Prow has it"),
    ("namespace", "Namespace that the workflows are to run in"),
    ("sha", "Commit that is tested; of a pull request its head"),
    (
        "prow",
        "The variables that Prow passes to a workflow, as a JSON mapping; one that has no value is `notset`, but for the two commits, which then are absent",
    ),
    (
        "prow-env",
        "Those of them that have a value, as `K=V,…` in alphabetical order: the parameter `prow_env`",
    ),
    (
        "labels",
        "Labels of everything of this job, `key=value`, one a line, as `tags` of provision-ec2 takes them; each entry of the matrix has its own in `labels`",
    ),
    (
        "version-tag",
        "Tag of a release, such as `v20261129-0123abcd`; empty without `release`",
    ),
    (
        "python-path",
        "`python_paths` as PYTHONPATH has them, from the directory that has each repository at owner/name",
    ),
    (
        "repositories",
        "The other repositories that `python_paths` name, `owner/name`, one a line",
    ),
    (
        "env-file",
        "Path of a JSON file with the environment of a step of Prow, titles and branches among it",
    ),
];

/// Outputs of `publish`.
const PUBLISH: &[(&str, &str)] = &[
    (
        "state",
        "`pending`, `success`, `failure`, `error` or `cancelled`",
    ),
    (
        "description",
        "The same in one line of at most 140 characters, as the status has it",
    ),
    (
        "told",
        "Where GitHub shows it now, of the places in `to`, separated by commas",
    ),
];

/// Outputs of `commands`.
const COMMANDS: &[(&str, &str)] = &[
    ("run", "`true` where a job is to run, else `false`"),
    (
        "jobs",
        "The jobs to run, as a JSON list for `strategy.matrix`, all of them names in the input `jobs`",
    ),
    (
        "sha",
        "Commit to run them on, the head of the pull request; empty where nobody was heard",
    ),
    ("pull", "Number of the issue or pull request"),
    (
        "fork",
        "`true` where it is the pull request of a fork, else `false`",
    ),
    (
        "hold",
        "`true` where the merge is held now, `false` where it no longer is, empty where nobody asked for either",
    ),
    ("why", "What is not done, and why; empty where all is"),
];

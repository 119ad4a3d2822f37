use super::*;

#[derive(Debug, thiserror::Error)]
#[error("the cluster refused {object}")]
struct Refused {
    object: &'static str,
    source: std::io::Error,
}

impl Explain for Refused {
    fn exit(&self) -> Exit {
        Exit::TestFailed
    }
    fn hint(&self) -> Option<String> {
        Some("look at it".to_owned())
    }
}

#[test]
fn a_failure_reads_from_cause_to_hint() {
    let failure = Failure::from(Refused {
        object: "deployment kubeflow/katib-db",
        source: std::io::Error::other("admission webhook denied\nthe request"),
    })
    .leaving(Leftover::Tagged);
    assert_eq!(
        text(Some(Stage::DeployManifests), &failure),
        "error: deploy-manifests: the cluster refused deployment kubeflow/katib-db\n  \
         caused by: admission webhook denied the request\n\nhint: look at it\nleft behind: tagged (`teardown` finds it)\n"
    );
}

#[test]
fn nothing_is_said_twice() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach: {0}")]
    struct Twice(#[source] std::io::Error);
    impl Explain for Twice {
        fn exit(&self) -> Exit {
            Exit::Infrastructure
        }
    }
    let failure = Failure::from(Twice(std::io::Error::other("connection refused")));
    assert!(failure.details.is_empty(), "{:?}", failure.details);
}

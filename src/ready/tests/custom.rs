//! The kinds of other projects, and the general rule for all that have no row.

use super::*;

/// Judges an object of generation 2, written as flow YAML: what it has beside its kind and name.
fn state(api: &str, kind: &str, rest: &str) -> &'static str {
    let text = format!("{{apiVersion: {api}, kind: {kind}, {rest}}}");
    let mut value: Value =
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    value["metadata"]["generation"] = json!(2);
    let group = api.rsplit_once('/').map_or("", |(group, _)| group);
    let mut view = View::default();
    view.put("x", value.clone());
    let cluster = ClusterView::new(&view, NOW.parse().unwrap());
    judge_live(&id(group, kind), None, &value, &cluster).state()
}

const fn expect(
    api: &'static str,
    kind: &'static str,
    cases: &'static [(&'static str, &'static str)],
) -> (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
) {
    (api, kind, cases)
}

#[test]
fn each_projects_own_words_are_known() {
    const READY: (&str, &str) = (
        "status: {conditions: [{type: Ready, status: 'True'}]}",
        "ready",
    );
    const NEW: (&str, &str) = ("metadata: {}", "waiting");
    #[rustfmt::skip]
    let kinds = [
        expect("argoproj.io/v1alpha1", "Workflow", &[NEW, ("status: {phase: Running}", "waiting"), ("status: {phase: Succeeded}", "ready"),
            ("status: {phase: Error, message: m}", "failed"), ("spec: {suspend: true}, status: {phase: Running}", "suspended"),
            ("spec: {suspend: true}, status: {phase: Succeeded}", "ready")]),
        expect("argoproj.io/v1alpha1", "Rollout", &[NEW, ("status: {observedGeneration: '1', phase: Healthy}", "waiting"),
            ("status: {observedGeneration: '2', phase: Healthy}", "ready"), ("status: {observedGeneration: 5f3a, phase: Degraded}", "stuck"),
            ("status: {phase: Paused}", "suspended"), ("spec: {replicas: 2}, status: {replicas: 3, updatedReplicas: 2, availableReplicas: 3}", "waiting"),
            ("spec: {replicas: 2}, status: {replicas: 2, updatedReplicas: 2, availableReplicas: 2}", "ready")]),
        expect("argoproj.io/v1alpha1", "CronWorkflow", &[("metadata: {}", "ready"), ("status: {conditions: [{type: SpecError, status: 'True'}]}", "stuck")]),
        expect("argoproj.io/v1alpha1", "WorkflowTemplate", &[("metadata: {}", "ready")]),
        expect("source.toolkit.fluxcd.io/v1", "HelmRepository", &[NEW, READY, ("spec: {type: oci}", "ready"), ("spec: {suspend: true}", "suspended")]),
        expect("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &[NEW, READY, ("status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}", "waiting")]),
        expect("acme.cert-manager.io/v1", "Order", &[("status: {state: pending}", "waiting"), ("status: {state: valid}", "ready"), ("status: {state: errored}", "failed")]),
        expect("cert-manager.io/v1", "CertificateRequest", &[READY, ("status: {conditions: [{type: Ready, status: 'False', reason: Failed}]}", "failed")]),
        expect("pkg.crossplane.io/v1", "Provider", &[NEW, ("status: {conditions: [{type: Installed, status: 'True'}]}", "waiting"),
            ("status: {conditions: [{type: Installed, status: 'True'}, {type: Healthy, status: 'True'}]}", "ready")]),
        expect("s3.aws.upbound.io/v1beta1", "Bucket", &[READY_ALONE, ("status: {conditions: [{type: Ready, status: 'True'}, {type: Synced, status: 'True'}]}", "ready")]),
        expect("aws.upbound.io/v1beta1", "ProviderConfig", &[("metadata: {}", "ready")]),
        expect("s3.services.k8s.aws/v1alpha1", "Bucket", &[NEW, ("status: {conditions: [{type: ACK.ResourceSynced, status: 'True'}]}", "ready"),
            ("status: {conditions: [{type: ACK.Terminal, status: 'True'}]}", "stuck")]),
        expect("eventing.knative.dev/v1", "Broker", &[NEW, READY]),
        expect("serving.kserve.io/v1beta1", "TrainedModel", &[NEW, READY]),
        expect("tensorboard.kubeflow.org/v1alpha1", "Tensorboard", &[NEW, ("status: {readyReplicas: 1}", "ready")]),
        expect("networking.istio.io/v1", "VirtualService", &[("metadata: {}", "ready"), ("status: {conditions: [{type: Reconciled, status: 'False'}]}", "waiting")]),
        expect("gateway.networking.k8s.io/v1", "Gateway", &[
            ("status: {conditions: [{type: Accepted, status: Unknown, lastTransitionTime: '1970-01-01T00:00:00Z'}]}", "waiting"),
            ("status: {conditions: [{type: Accepted, status: 'True'}, {type: Programmed, status: 'True', observedGeneration: 1}]}", "waiting"),
            ("status: {conditions: [{type: Accepted, status: 'True'}, {type: Programmed, status: 'True'}]}", "ready"),
            ("status: {conditions: [{type: Accepted, status: 'True'}, {type: Programmed, status: 'True'}], listeners: [{name: a, conditions: [{type: Conflicted, status: 'True'}]}]}", "stuck")]),
        expect("gateway.networking.k8s.io/v1", "HTTPRoute", &[NEW,
            ("status: {parents: [{parentRef: {name: g}, conditions: [{type: Accepted, status: 'True'}, {type: ResolvedRefs, status: 'True'}]}]}", "ready"),
            ("status: {parents: [{parentRef: {name: g}, conditions: [{type: Accepted, status: 'True'}]}, {parentRef: {name: h}, conditions: [{type: Accepted, status: 'False'}]}]}", "stuck"),
            ("status: {parents: [{conditions: [{type: Accepted, status: 'True', observedGeneration: 2}]}, {conditions: [{type: Accepted, status: 'False', observedGeneration: 1}]}]}", "ready")]),
        expect("postgresql.cnpg.io/v1", "Cluster", &[NEW, READY, ("metadata: {annotations: {cnpg.io/hibernation: 'on'}}", "suspended")]),
        expect("postgresql.cnpg.io/v1", "Database", &[NEW, ("status: {applied: true}", "ready"), ("status: {applied: false, message: m}", "stuck")]),
        expect("pxc.percona.com/v1", "PerconaXtraDBCluster", &[("status: {state: initializing}", "waiting"),
            ("status: {state: ready, conditions: [{type: error, status: 'True'}]}", "ready"), ("status: {state: paused}", "suspended")]),
        expect("kafka.strimzi.io/v1beta2", "Kafka", &[NEW, READY, ("status: {conditions: [{type: NotReady, status: 'True'}]}", "waiting")]),
        expect("rabbitmq.com/v1beta1", "RabbitmqCluster", &[("status: {conditions: [{type: AllReplicasReady, status: 'True'}, {type: ReconcileSuccess, status: 'True'}, {type: NoWarnings, status: 'False'}]}", "ready"),
            ("status: {conditions: [{type: AllReplicasReady, status: 'False'}, {type: ReconcileSuccess, status: 'True'}]}", "waiting")]),
        expect("elasticsearch.k8s.elastic.co/v1", "Elasticsearch", &[NEW, ("status: {phase: ApplyingChanges, health: green}", "waiting"), ("status: {phase: Ready, health: yellow}", "ready"), ("status: {phase: Ready, health: red}", "stuck")]),
        expect("beat.k8s.elastic.co/v1beta1", "Beat", &[("status: {health: yellow}", "waiting"), ("status: {health: green}", "ready")]),
        expect("keda.sh/v1alpha1", "ScaledObject", &[NEW, ("status: {conditions: [{type: Ready, status: 'True'}, {type: Active, status: 'False'}]}", "ready"),
            ("metadata: {annotations: {autoscaling.keda.sh/paused: 'true'}}, status: {conditions: [{type: Ready, status: 'True'}]}", "suspended")]),
        expect("kueue.x-k8s.io/v1beta1", "ClusterQueue", &[NEW, ("status: {conditions: [{type: Active, status: 'True'}]}", "ready"), ("status: {conditions: [{type: Active, status: 'False', reason: FlavorNotFound}]}", "waiting")]),
        expect("ray.io/v1", "RayJob", &[NEW, ("status: {jobDeploymentStatus: Running, jobStatus: RUNNING}", "waiting"),
            ("status: {jobDeploymentStatus: Complete, jobStatus: SUCCEEDED}", "ready"), ("status: {jobDeploymentStatus: Failed}", "failed")]),
        expect("batch.volcano.sh/v1alpha1", "Job", &[("status: {state: {phase: Running}}", "waiting"), ("status: {state: {phase: Completed}}", "ready"), ("status: {state: {phase: Aborted}}", "failed")]),
        expect("flink.apache.org/v1beta1", "FlinkDeployment", &[NEW, ("spec: {job: {}}, status: {jobManagerDeploymentStatus: READY, jobStatus: {state: RUNNING}}", "ready"),
            ("status: {jobManagerDeploymentStatus: DEPLOYING}", "waiting"), ("status: {jobManagerDeploymentStatus: READY, jobStatus: {state: SUSPENDED}}", "suspended"),
            ("spec: {job: {state: suspended}}, status: {jobStatus: {state: SUSPENDED}}", "ready")]),
        expect("tekton.dev/v1", "PipelineRun", &[NEW, ("status: {conditions: [{type: Succeeded, status: Unknown}]}", "waiting"),
            ("status: {conditions: [{type: Succeeded, status: 'False', reason: Failed}]}", "failed"), ("status: {conditions: [{type: Succeeded, status: 'True'}]}", "ready")]),
        expect("tekton.dev/v1", "Pipeline", &[("metadata: {}", "ready")]),
        expect("external-secrets.io/v1", "ExternalSecret", &[NEW, READY]),
        expect("operators.coreos.com/v1alpha1", "Subscription", &[NEW, ("status: {state: AtLatestKnown}", "ready"),
            ("status: {state: AtLatestKnown, conditions: [{type: ResolutionFailed, status: 'True'}]}", "stuck")]),
        expect("monitoring.coreos.com/v1", "Prometheus", &[("status: {conditions: [{type: Available, status: Degraded}, {type: Reconciled, status: 'True'}]}", "waiting"),
            ("status: {conditions: [{type: Available, status: 'True'}, {type: Reconciled, status: 'True'}]}", "ready")]),
        expect("monitoring.coreos.com/v1", "ServiceMonitor", &[("metadata: {}", "ready")]),
        expect("opentelemetry.io/v1beta1", "OpenTelemetryCollector", &[NEW, ("spec: {mode: sidecar}", "ready"), ("status: {scale: {statusReplicas: 1/2}}", "waiting"), ("status: {scale: {statusReplicas: 2/2}}", "ready")]),
        expect("gateway.solo.io/v1", "VirtualService", &[NEW, ("status: {statuses: {a: {state: 1}}}", "ready"), ("status: {statuses: {a: {state: 1}, b: {state: Rejected, reason: r}}}", "stuck")]),
        expect("snapshot.storage.k8s.io/v1", "VolumeSnapshot", &[NEW, ("status: {readyToUse: true}", "ready"), ("status: {readyToUse: false, error: {message: m}}", "stuck")]),
        expect("velero.io/v1", "Backup", &[("status: {phase: InProgress}", "waiting"), ("status: {phase: PartiallyFailed}", "failed"), ("status: {phase: Completed}", "ready")]),
        expect("apps.kruise.io/v1alpha1", "CloneSet", &[NEW, ("spec: {replicas: 2}, status: {updatedReplicas: 1, availableReplicas: 2}", "waiting"),
            ("spec: {replicas: 2}, status: {updatedReplicas: 2, availableReplicas: 2}", "ready")]),
        expect("autoscaling/v2", "HorizontalPodAutoscaler", &[NEW, ("status: {conditions: [{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'False', reason: FailedGetResourceMetric}]}", "stuck"),
            ("status: {conditions: [{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'True'}]}", "ready")]),
        expect("v1", "Service", &[("spec: {type: ClusterIP}", "ready"), ("spec: {type: LoadBalancer}, status: {loadBalancer: {}}", "waiting"), ("spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}", "ready")]),
        expect("policy/v1", "PodDisruptionBudget", &[NEW, ("status: {observedGeneration: 2, conditions: [{type: DisruptionAllowed, status: 'False', reason: InsufficientPods}]}", "ready"),
            ("status: {observedGeneration: 2, conditions: [{type: DisruptionAllowed, status: 'False', reason: SyncFailed}]}", "stuck")]),
    ];
    for (api, kind, cases) in kinds {
        for (rest, expected) in cases {
            assert_eq!(state(api, kind, rest), *expected, "{kind}: {rest}");
        }
    }
}

/// What is enough for most is not for a resource of a cloud: it may be as it was before the last change.
const READY_ALONE: (&str, &str) = (
    "status: {conditions: [{type: Ready, status: 'True'}]}",
    "waiting",
);

#[test]
fn a_kind_without_a_row_is_ready_unless_its_status_says_otherwise() {
    for (rest, expected) in [
        ("metadata: {}", "waiting"),
        ("status: {}", "waiting"),
        ("status: {url: 'http://x'}", "ready"),
        (
            "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, status: {phase: Running}",
            "waiting",
        ),
        ("status: {observedGeneration: 1, phase: Running}", "waiting"),
        ("status: {observedGeneration: 2, phase: Running}", "ready"),
        (
            "status: {conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Ready, status: Unknown}]}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Ready, status: true}]}",
            "ready",
        ),
        (
            "status: {conditions: [{type: Ready, status: 'False', reason: Starting}]}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Ready, status: 'False', reason: PullFailed}]}",
            "failed",
        ),
        (
            "status: {conditions: [{type: Ready, status: 'True'}, {type: Stalled, status: 'True'}]}",
            "failed",
        ),
        (
            "status: {conditions: [{type: Ready, status: 'True'}, {type: Reconciling, status: 'True'}]}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Ready, status: 'True'}, {type: DatabaseReady, status: 'False'}]}",
            "ready",
        ),
        (
            "status: {conditions: [{type: DatabaseReady, status: 'False'}]}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Available, status: 'True'}, {type: Progressing, status: 'True', reason: NewReplicaSetAvailable}]}",
            "ready",
        ),
        (
            "status: {conditions: [{type: LiveMigratable, status: 'False'}]}",
            "ready",
        ),
        ("status: {phase: Provisioning}", "waiting"),
        ("status: {phase: Failed}", "failed"),
        ("status: {phase: Paused}", "suspended"),
        (
            "spec: {desiredState: paused}, status: {state: Paused}",
            "ready",
        ),
        ("status: {lastState: Failed, state: Running}", "ready"),
        ("status: {jobStatus: {state: ERROR}}", "failed"),
        ("status: {ready: false}", "waiting"),
        ("status: {failureMessage: m}", "failed"),
        ("status: {errorCount: 0}", "ready"),
        ("spec: {replicas: 3}, status: {readyReplicas: 1}", "waiting"),
        (
            "spec: {replicas: 0}, status: {conditions: [{type: Available, status: 'False'}]}",
            "ready",
        ),
        (
            "spec: {paused: true}, status: {conditions: [{type: Ready, status: 'True'}]}",
            "suspended",
        ),
        (
            "metadata: {labels: {kueue.x-k8s.io/queue-name: q}}, spec: {suspend: true}, status: {}",
            "waiting",
        ),
        (
            "status: {conditions: [{type: Accepted, status: Unknown, lastTransitionTime: '1970-01-01T00:00:00Z'}]}",
            "waiting",
        ),
    ] {
        assert_eq!(
            state("unknown.example/v1", "Thing", rest),
            expected,
            "{rest}"
        );
    }
}

//! Claims and volumes.

use super::*;

fn claim(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data, namespace: 'n'}}, spec: {{{spec}}}, status: {{phase: Pending}}}}"
    )
}

fn volume(spec: &str, phase: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v}}, spec: {{storageClassName: slow, capacity: {{storage: 1Gi}}, accessModes: [ReadWriteOnce]{spec}}}, status: {{phase: {phase}}}}}"
    )
}

pub(super) fn cases() -> Vec<Case> {
    const SLOW: &str =
        "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: slow}}";
    let wants = "storageClassName: slow, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}";
    let fit = |spec: &str, volume: String| of([claim(spec), volume, SLOW.to_owned()]);
    let free = || volume("", "Available");
    let told = |reason: &str, message: &str| {
        of([
            claim(wants),
            SLOW.to_owned(),
            event("PersistentVolumeClaim", "data", reason, message),
        ])
    };
    let mount = |message: &str| {
        of([
            pod("p", &waits("ContainerCreating", "")),
            event("Pod", "p", "FailedMount", message),
        ])
    };
    let missing = "0/1 nodes are available: persistentvolumeclaim \"data\" not found.";
    vec![
        case(
            Class::StorageClassMissing,
            of([claim("storageClassName: fast"), SLOW.to_owned()]),
            of([claim("storageClassName: slow"), SLOW.to_owned()]),
        ),
        case(
            Class::ProvisioningFailed,
            told(
                "ProvisioningFailed",
                "failed to provision volume: quota of the cloud",
            ),
            told(
                "WaitForFirstConsumer",
                "waiting for first consumer to be created",
            ),
        ),
        case(
            Class::VolumeOccupied,
            fit(
                wants,
                volume(", claimRef: {namespace: 'n', name: other}", "Bound"),
            ),
            fit(wants, free()),
        ),
        case(
            Class::VolumeAccessModeMismatch,
            fit(&wants.replace("Once", "Many"), free()),
            fit(wants, free()),
        ),
        case(
            Class::VolumeTooSmall,
            fit(&wants.replace("1Gi", "2000Mi"), free()),
            fit(&wants.replace("1Gi", "1000Mi"), free()),
        ),
        case(
            Class::VolumeSelectorMismatch,
            fit(
                &format!("{wants}, selector: {{matchLabels: {{disk: ssd}}}}"),
                free(),
            ),
            fit(wants, free()),
        ),
        case(
            Class::ClaimMissing,
            of([pod("p", &unschedulable(missing))]),
            of([pod(
                "p",
                &unschedulable("0/1 nodes are available: 1 Insufficient cpu."),
            )]),
        ),
        case(
            Class::ClaimNotBound,
            told(
                "FailedBinding",
                "no persistent volumes available for this claim",
            ),
            told(
                "WaitForFirstConsumer",
                "waiting for first consumer to be created",
            ),
        ),
        case(
            Class::MountFailed,
            mount("MountVolume.SetUp failed: exit status 32"),
            mount("MountVolume.SetUp failed: configmap \"c\" not found"),
        ),
        case(
            Class::VolumePermissionDenied,
            mount("mount.nfs: access denied by server while mounting"),
            mount("MountVolume.SetUp failed: exit status 32"),
        ),
    ]
}

//! The classes of causes: their codes, what each means and what to do about it. The codes are stable.
//!
//! `docs/causes.md` is written from here.

use serde::Serialize;

/// Whose fault a cause is, for who has to decide what to do with a red run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The tested code failed.
    Test,
    /// The manifests, or what they name, are wrong.
    Manifests,
    /// The cluster, its host, or a service outside failed.
    Infrastructure,
}

macro_rules! classes {
    ($($name:ident $verdict:ident $title:literal $means:literal $remedy:literal)*) => {
        /// What kind of cause; in the order in which one explains another.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Class {
            $(#[doc = $title] $name,)*
        }

        impl Class {
            /// All of them.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its stable code.
            #[cfg(test)]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// In a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means.
            #[cfg(test)]
            pub const fn means(self) -> &'static str {
                match self { $(Self::$name => $means,)* }
            }

            /// What to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }

            /// Whose fault it is.
            pub const fn verdict(self) -> Origin {
                match self { $(Self::$name => Origin::$verdict,)* }
            }
        }
    };
}

classes! {
    NodeNotReady Infrastructure "node not ready"
        "A node is not Ready, or its kubelet no longer reports to the API server."
        "Look at the kubelet on the node (`systemctl status kubelet`, `journalctl -u kubelet`), then at its memory, disk and network."
    NodePressure Infrastructure "node under pressure"
        "A node is short of memory, disk or process IDs, and evicts pods."
        "Use a larger node or disk, or lower what the pods use; unused images take disk too."
    Evicted Infrastructure "evicted"
        "The kubelet stopped pods, since the node was short of a resource."
        "Use a larger node or disk, or set requests and limits that fit."
    NodeCordoned Infrastructure "nodes cordoned"
        "No node takes a pod, since the nodes are marked unschedulable."
        "Allow pods on the nodes again: `kubectl uncordon NODE`."
    TaintNotTolerated Manifests "taint not tolerated"
        "No node takes a pod, since the pod does not tolerate the nodes' taints."
        "Add a toleration to the pod, or remove the taint."
    InsufficientResources Infrastructure "not enough room"
        "No node has the CPU, memory or other resource that a pod requests."
        "Lower the requests, or use larger or more nodes."
    NodeSelectorMismatch Manifests "no node matches"
        "No node has the labels that a pod asks for with its node selector or affinity."
        "Correct the selector or the affinity, or label a node."
    PodAffinityConflict Manifests "pod affinity conflict"
        "Pod affinity, anti-affinity or topology spread leaves no node for a pod."
        "Use fewer replicas or more nodes, or prefer the rule rather than require it."
    Unschedulable Manifests "unschedulable"
        "No node takes a pod, for another reason."
        "Read the scheduler's message."
    RegistryNameUnknown Infrastructure "registry name not resolved"
        "The name of a registry does not resolve on the node."
        "Correct the registry's name in the image, or the DNS of the nodes."
    RegistryUnreachable Infrastructure "registry out of reach"
        "A registry does not answer the node."
        "Look at the network, the proxy and the certificates of the nodes, and at the registry itself."
    RegistryRateLimited Infrastructure "registry limits pulls"
        "A registry limits the rate of pulls (429)."
        "Pull with an account, or from a mirror or a cache."
    RegistryAccessDenied Manifests "registry refuses access"
        "A registry refuses access to an image: it is private, or the credentials are wrong or missing."
        "Create the pull secret in the namespace and name it in `imagePullSecrets`; check that the image exists."
    ImageNotFound Manifests "image not found"
        "The registry does not have the image."
        "Correct the image's name or tag, or push the image."
    ImageNameInvalid Manifests "image name invalid"
        "The name of an image is not valid."
        "Correct the image's name."
    ImagePlatformMissing Manifests "image for another architecture"
        "The image does not exist for the architecture of the node."
        "Build the image for this architecture, or use nodes of another one."
    ImageNeverPulled Manifests "image never pulled"
        "The image is not on the node, and `imagePullPolicy: Never` forbids the pull."
        "Load the image into the nodes (`kind load docker-image`), or allow the pull."
    ImagePullFailed Infrastructure "image pull failed"
        "An image cannot be pulled, for another reason."
        "Read the message of the container runtime."
    WebhookDown Manifests "webhook down"
        "An admission webhook does not answer, and requests that need it are refused."
        "Make the pods behind the webhook's Service ready first, or set its `failurePolicy` to `Ignore`."
    QuotaExceeded Manifests "quota exceeded"
        "A ResourceQuota of the namespace is used up."
        "Raise the ResourceQuota, or lower what the namespace uses."
    ServiceAccountMissing Manifests "service account missing"
        "A workload names a service account that does not exist."
        "Create the service account, or correct `serviceAccountName`."
    PodSecurityViolated Manifests "Pod Security violated"
        "The Pod Security Standard of the namespace forbids the pods."
        "Correct the `securityContext`, or change the label `pod-security.kubernetes.io/enforce` of the namespace."
    PodsRefused Manifests "pods refused"
        "The API server refuses the pods of a workload."
        "Correct the pod template as the message says."
    ClaimNotBound Manifests "claim not bound"
        "A PersistentVolumeClaim got no volume: its class does not exist, its provisioner failed, or no volume fits."
        "Name a storage class that exists, or make a volume that fits by class, size and access mode."
    MountFailed Infrastructure "volume not mounted"
        "A volume of a pod cannot be attached or mounted."
        "Read the message; look at the storage driver and at who else uses the volume."
    ConfigurationMissing Manifests "configuration missing"
        "A pod names a Secret, a ConfigMap or a key that does not exist."
        "Create it, or correct the name."
    ContainerNotCreated Manifests "container not created"
        "The container runtime cannot create a container."
        "Read the message: it names the command, the mount or the security context at fault."
    ContainerWaiting Manifests "container waits"
        "A container waits, for another reason."
        "Read the reason and the message of its status."
    OutOfMemory Manifests "out of memory"
        "A container was killed, since it needed more memory than its limit or than the node has."
        "Raise the memory limit, or lower what the process uses."
    CrashLoop Test "crash loop"
        "A container ends again and again."
        "Read the last lines of the log of the run that failed."
    LivenessProbeFails Manifests "liveness probe fails"
        "The kubelet restarts a container, since its liveness probe fails."
        "Correct port, protocol, path and timing of the liveness probe."
    StartupProbeFails Manifests "startup probe fails"
        "The kubelet restarts a container, since its startup probe fails."
        "Correct the startup probe, or give the start more time with `failureThreshold`."
    ReadinessProbeFails Manifests "readiness probe fails"
        "A container runs and its readiness probe fails, so it gets no traffic."
        "Correct port, protocol and path of the readiness probe; otherwise read the container's log."
    JobFailed Test "job failed"
        "A Job failed."
        "Read the log of its last pod."
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    const HEAD: &str = "# Causes\n\
\n\
`manifests-e2e diagnose PATH…` finds what is broken in a bundle of `gather-logs`, crust-gather, must-gather, `kubectl cluster-info dump`,\n\
a support bundle, or files of YAML or JSON. It asks no cluster. `--json` prints `schema`, `causes` (`class`, `object`, `affects`, `sentence`,\n\
`remedy`, `evidence`, `below`, `verdict`), `odd` and `healthy`. Where no cause is known, `odd` names up to three objects that are not ready.\n\
Exit 0 when nothing is wrong, 1 otherwise, 2 for bad input.\n\
\n\
Each cause has a code, here and in the report of `gather-logs`. The verdict says where to look first: `test` is the tested code,\n\
`manifests` is what was deployed, `infrastructure` is the cluster or what is outside it.\n\
";

    #[test]
    fn each_class_has_its_section_in_the_docs() {
        let mut page = HEAD.to_owned();
        for class in Class::ALL {
            let verdict = format!("{:?}", class.verdict()).to_lowercase();
            let (code, means, remedy) = (class.code(), class.means(), class.remedy());
            page.extend([
                format!("\n## {code}\n\n{means} Verdict: `{verdict}`.\n"),
                format!("\nWhat to do: {remedy}\n"),
            ]);
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/causes.md");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &page).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&file).unwrap_or_default(),
            page,
            "UPDATE=1 cargo test --lib causes"
        );
    }
}

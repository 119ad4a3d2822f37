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
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// By its code.
            pub fn of(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
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

            /// Its rank among causes: 0 is what all of a cluster or a node needs, 2 may be a symptom of another.
            pub const fn tier(self) -> u8 {
                match self {
                    Self::SchedulerDown
                    | Self::ControllerManagerDown
                    | Self::ApiServerDown
                    | Self::KubeProxyDown
                    | Self::DnsFails
                    | Self::KubeletDown
                    | Self::ContainerRuntimeDown
                    | Self::NetworkPluginDown
                    | Self::NetworkPluginThrottled
                    | Self::NodeNotReady
                    | Self::NodePressure
                    | Self::InotifyLimit => 0,
                    Self::ApiServerSlow
                    | Self::ContainerWaiting
                    | Self::DependencyUnreachable
                    | Self::CrashLoop
                    | Self::InitContainerHangs
                    | Self::ReadinessProbeFails
                    | Self::JobFailed => 2,
                    _ => 1,
                }
            }

            /// Whose fault it is.
            pub const fn verdict(self) -> Origin {
                match self { $(Self::$name => Origin::$verdict,)* }
            }
        }
    };
}

classes! {
    ApiServerDown Infrastructure "API server out of reach"
        "The API server or etcd does not run, or pods cannot reach it."
        "Look at `crictl ps -a` and at the logs of kube-apiserver and etcd on the node of the control plane; look at its disk and its certificates."
    SchedulerDown Infrastructure "scheduler down"
        "Nothing looks for nodes: kube-scheduler does not run, and pods stay Pending without a reason."
        "Look at the pod of kube-scheduler (`kubectl -n kube-system logs -l component=kube-scheduler`), or at its service on the node of the control plane."
    ControllerManagerDown Infrastructure "controller manager down"
        "Nothing makes pods of Deployments: kube-controller-manager does not run."
        "Look at the pod of kube-controller-manager (`kubectl -n kube-system logs -l component=kube-controller-manager`), or at its service on the node of the control plane."
    ContainerRuntimeDown Infrastructure "container runtime down"
        "The container runtime of a node (containerd, CRI-O) does not answer, and no container can start there."
        "Look at it on the node: `systemctl status containerd`, `journalctl -u containerd`; then restart it."
    KubeletDown Infrastructure "kubelet down"
        "The kubelet of a node no longer reports to the API server: it was stopped, or the node or its network is gone."
        "Look at it on the node: `systemctl status kubelet`, `journalctl -u kubelet`; then restart it."
    NetworkPluginDown Infrastructure "network plugin down"
        "The network plugin (CNI) of a node does not work, and pods get no network there."
        "Look at the pods of the network plugin in kube-system, and at `/etc/cni/net.d` on the node."
    NetworkPluginThrottled Infrastructure "network plugin throttled"
        "The network plugin of a node waits for its CPU most of the time, since its limit is low: pods get their network late."
        "Raise or remove the CPU limit of its DaemonSet, such as kindnet in kube-system."
    KubeProxyDown Infrastructure "kube-proxy down"
        "kube-proxy of a node does not work: pods there do not reach Services, though the pods behind these are ready."
        "Look at its pod on the node (`kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide`), or at its service; then restart it."
    DnsFails Infrastructure "DNS fails"
        "Names of Services that are there do not resolve: the cluster's DNS does not answer, or a pod does not ask it."
        "Look at the pods of CoreDNS (`kubectl -n kube-system logs -l k8s-app=kube-dns`), and at `dnsPolicy` and `dnsConfig` of the pod."
    InotifyLimit Infrastructure "inotify limit"
        "The limits of inotify on the node are used up, which are for all of its containers together."
        "Raise them on the node: `sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512`."
    NodeNotReady Infrastructure "node not ready"
        "A node is not Ready, for another reason."
        "Look at the kubelet on the node (`systemctl status kubelet`, `journalctl -u kubelet`), then at its memory, disk and network."
    NodePressure Infrastructure "node under pressure"
        "A node is short of memory, disk or process IDs, and evicts pods."
        "Use a larger node or disk, or lower what the pods use; unused images take disk too."
    Evicted Infrastructure "evicted"
        "The kubelet stopped pods, since the node was short of a resource."
        "Use a larger node or disk, or set requests and limits that fit."
    NoSpaceLeft Infrastructure "no space left"
        "A disk is full: of the node, or of a volume."
        "Free space (`docker system prune`, `crictl rmi --prune`), or use a larger disk or volume."
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
    SandboxNotCreated Infrastructure "sandbox not created"
        "The container runtime cannot create the sandbox of a pod."
        "Read the message; look at the container runtime of the node (`journalctl -u containerd`)."
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
    StorageClassMissing Manifests "storage class missing"
        "A claim names a storage class that does not exist, or names none where there is no default."
        "Name a class of `kubectl get storageclass`, or mark one as the default."
    ProvisioningFailed Infrastructure "provisioning failed"
        "The provisioner of a storage class cannot make a volume."
        "Read the message; look at the logs of the storage driver."
    VolumeOccupied Manifests "volume taken"
        "The volume that fits a claim belongs to another claim."
        "Make another volume, or delete the claim that has it."
    VolumeAccessModeMismatch Manifests "access mode mismatch"
        "The volume that fits a claim does not offer the access mode that it wants."
        "Make `accessModes` of the claim and of the volume the same."
    VolumeTooSmall Manifests "volume too small"
        "The volume that fits a claim is smaller than what it requests."
        "Lower `resources.requests.storage` of the claim, or make a larger volume."
    VolumeSelectorMismatch Manifests "volume selector mismatch"
        "No volume has the labels that a claim selects."
        "Correct `selector` of the claim, or label the volume."
    ClaimMissing Manifests "claim missing"
        "A pod names a PersistentVolumeClaim that does not exist."
        "Create the claim, or correct `claimName`; look whether a quota refused it."
    ClaimNotBound Manifests "claim not bound"
        "A PersistentVolumeClaim got no volume, for another reason."
        "Make a volume that fits by class, size, access mode and labels, or name a storage class that makes one."
    MountFailed Infrastructure "volume not mounted"
        "A volume of a pod cannot be attached or mounted."
        "Read the message; look at the storage driver and at who else uses the volume."
    VolumePermissionDenied Manifests "volume permission denied"
        "A container may not read or write its volume, or a mount is refused."
        "Set `fsGroup` or `runAsUser` in the `securityContext`, or correct the rights on the server of the volume."
    ConfigurationMissing Manifests "configuration missing"
        "A pod names a Secret, a ConfigMap or a key that does not exist."
        "Create it, or correct the name."
    ZeroReplicas Manifests "scaled to zero"
        "A workload is scaled to zero, and the Service in front of it leads to nobody."
        "Scale it up: `kubectl scale --replicas=1 deployment/NAME`."
    ServiceSelectorMismatch Manifests "Service selects no pod"
        "The selector of a Service matches no pod, and there are pods that it was meant for."
        "Make `selector` of the Service the same as the labels of the pods."
    ServicePortMismatch Manifests "Service port mismatch"
        "A Service leads to a port that its pods do not have."
        "Make `targetPort` of the Service the same as `containerPort` of the pods."
    ServiceProtocolMismatch Manifests "Service protocol mismatch"
        "A Service forwards by another protocol than its pods listen by."
        "Make `protocol` of the Service's port the same as that of the container's port."
    ServiceMissing Manifests "Service missing"
        "Pods look for a Service that does not exist, though its workload does."
        "Create the Service; look whether a quota or a webhook refused it."
    ServiceAddressWrong Manifests "wrong address"
        "A workload is given the address of a Service that does not exist, or a port that the Service does not have."
        "Correct the address in the environment of the workload."
    PortInUse Manifests "port in use"
        "A container wants a port that another has: of the same pod, or of the host."
        "Give one of them another port."
    DatabaseAccessDenied Manifests "database refuses login"
        "A database refuses the user or the password that a workload has."
        "Correct user and password in the Secret, or grant the user access in the database."
    DatabaseReadOnly Manifests "database read-only"
        "A database takes no writes: it is a replica, or was set read-only."
        "Write to the primary, or take back the setting (MySQL: `SET GLOBAL read_only = OFF`)."
    DatabaseConnectionsUsedUp Manifests "database connections used up"
        "A database has as many connections as it allows."
        "Raise its limit (`max_connections`), or use smaller pools in the workloads."
    AccessForbidden Manifests "access forbidden"
        "The API server, or a policy, refuses a service account what it asks for."
        "Grant it by a Role and a RoleBinding; try with `kubectl auth can-i VERB RESOURCE --as=system:serviceaccount:NAMESPACE:NAME`."
    CertificateRefused Manifests "certificate refused"
        "A container refuses the certificate of somebody that it connects to."
        "Renew the certificate, or give the container the CA that signed it."
    ApiNotServed Manifests "API not served"
        "An APIService points to a server that does not answer."
        "Make the pods behind its Service ready, or delete the APIService."
    NamespaceHeldByApi Manifests "namespace held by an API"
        "A namespace cannot be deleted, since an API that may have objects in it does not answer."
        "Make the server of the API ready, or delete its APIService: `kubectl get apiservice`."
    NamespaceHeldByFinalizer Manifests "namespace held by a finalizer"
        "A namespace cannot be deleted, since objects in it wait for their finalizers."
        "Run the controller that removes the finalizer; only where it is gone for good, remove the finalizer yourself."
    ContainerNotCreated Manifests "container not created"
        "The container runtime cannot create a container."
        "Read the message: it names the command, the mount or the security context at fault."
    ContainerWaiting Manifests "container waits"
        "A container waits, for another reason."
        "Read the reason and the message of its status."
    OutOfMemory Manifests "out of memory"
        "A container was killed, since it needed more memory than its limit or than the node has."
        "Raise the memory limit, or lower what the process uses."
    ApiServerSlow Infrastructure "API server slow"
        "The API server or etcd answers too late, and controllers give up."
        "Look at the CPU and the disk of the node of the control plane: etcd needs a fast disk."
    InitContainerHangs Manifests "init container hangs"
        "An init container does not come to its end, and the pod waits for it."
        "Read its log: it mostly waits for something that does not come."
    DependencyUnreachable Manifests "dependency out of reach"
        "A container ends or is not ready, since it cannot reach a Service."
        "Look at the pods behind that Service, and at network policies."
    CrashLoop Test "crash loop"
        "A container ends with an error: again and again, or for good where nobody starts it anew (a Job)."
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
Tools of OpenShift read another layout: `manifests-e2e convert logs.zip --to must-gather` writes it, and `omc use must-gather` opens it.\n\
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

//! What a KinD configuration asks for that decides more than kind's own work.

use serde_json::Value;

use crate::{
    host::{engine::Engine, quoted},
    limits::Deadline,
    report::{BadInput, Failure},
    yaml,
};

/// Facts of one configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFacts {
    /// How many nodes it has.
    pub nodes: usize,
    /// The name that it gives the cluster.
    pub name: Option<String>,
    /// Whether kind brings the network between pods; else nodes are not Ready before the set has brought one.
    pub has_cni: bool,
    /// Whether kind brings kube-proxy; else no pod reaches a Service before the set has brought something for it.
    pub has_proxy: bool,
    /// What its nodes mount of their host.
    pub host_paths: Vec<String>,
}

impl ConfigFacts {
    /// Reads them from a configuration as kind is given it.
    pub fn of(config: &str) -> Self {
        let config = yaml::one(config).unwrap_or_default();
        let nodes = config["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let mounts = nodes
            .iter()
            .filter_map(|node| node["extraMounts"].as_array());
        let host_paths = mounts
            .flatten()
            .filter_map(|mount| mount["hostPath"].as_str());
        let networking = &config["networking"];
        Self {
            nodes: nodes.len().max(1),
            name: config["name"].as_str().map(str::to_owned),
            has_cni: networking["disableDefaultCNI"] != Value::Bool(true),
            has_proxy: networking["kubeProxyMode"] != "none",
            host_paths: host_paths.map(str::to_owned).collect(),
        }
    }

    /// Refuses a mount of a directory that no tool expands: Docker would make an empty one of that name.
    ///
    /// # Errors
    /// [`BadInput`].
    pub fn check_mounts(&self) -> Result<(), BadInput> {
        match self.host_paths.iter().find(|path| path.starts_with('~')) {
            Some(path) => Err(mount(
                path,
                "nobody replaces `~` in it",
                "write the whole path",
            )),
            None => Ok(()),
        }
    }

    /// Refuses a mount that has to be brought to another machine, which nobody does.
    ///
    /// # Errors
    /// [`BadInput`].
    pub fn check_remote_mounts(&self) -> Result<(), BadInput> {
        match self.host_paths.iter().find(|path| !path.starts_with('/')) {
            Some(path) => Err(mount(
                path,
                "the cluster is on another machine, and files of this one are not brought there",
                "put it into a ConfigMap or an image, or take a runner's own machine (provider: local)",
            )),
            None => Ok(()),
        }
    }

    /// Refuses a mount of what is not on the host: Docker would make an empty directory of that name.
    ///
    /// # Errors
    /// [`BadInput`], or a host that does not answer.
    pub(crate) async fn check_host_paths(
        &self,
        engine: &Engine,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        for path in &self.host_paths {
            let look = engine.command(format!("test -e {}", quoted(path)));
            if engine.host.run(&look, deadline).await?.status != 0 {
                let reason = "it is not there, and Docker would make an empty directory";
                return Err(mount(path, reason, "create it in a step before").into());
            }
        }
        Ok(())
    }

    /// What the set has to bring before a cluster of this configuration is whole; nothing where kind brings all.
    pub fn without(&self) -> Option<&'static str> {
        match (self.has_cni, self.has_proxy) {
            (true, true) => None,
            (false, true) => Some("no network between pods (networking.disableDefaultCNI)"),
            (true, false) => Some("no kube-proxy (networking.kubeProxyMode: none)"),
            (false, false) => Some(
                "neither a network between pods nor kube-proxy (networking.disableDefaultCNI, kubeProxyMode: none)",
            ),
        }
    }
}

/// The refusal of a mount.
fn mount(path: &str, reason: &str, remedy: &str) -> BadInput {
    BadInput {
        input: "config",
        reason: format!("the nodes cannot mount {path}: {reason}"),
        remedy: Some(remedy.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_configuration_is_whole() {
        let facts = ConfigFacts::of(
            "kind: Cluster\nname: mine\nnodes: [{role: control-plane}, {role: worker}]\n",
        );
        assert_eq!(facts.nodes, 2);
        assert_eq!(facts.name.as_deref(), Some("mine"));
        assert_eq!(facts.without(), None);
        assert!(facts.check_mounts().is_ok() && facts.check_remote_mounts().is_ok());
    }

    #[test]
    fn what_the_set_has_to_bring_is_named() {
        for (networking, has_cni, has_proxy, word) in [
            ("disableDefaultCNI: true", false, true, "disableDefaultCNI"),
            ("kubeProxyMode: none", true, false, "kube-proxy"),
            (
                "disableDefaultCNI: true, kubeProxyMode: none",
                false,
                false,
                "neither",
            ),
            (
                "disableDefaultCNI: false, kubeProxyMode: ipvs",
                true,
                true,
                "",
            ),
        ] {
            let facts = ConfigFacts::of(&format!("kind: Cluster\nnetworking: {{{networking}}}\n"));
            assert_eq!(
                (facts.has_cni, facts.has_proxy),
                (has_cni, has_proxy),
                "{networking}"
            );
            assert!(
                facts.without().unwrap_or_default().contains(word),
                "{networking}"
            );
        }
    }

    #[test]
    fn mounts_are_refused_where_nothing_would_be_there() {
        for (path, here, elsewhere) in [
            ("/var/run/docker.sock", true, true),
            ("./policies", true, false),
            ("policies", true, false),
            ("~/config.json", false, false),
        ] {
            let text =
                format!("nodes:\n- extraMounts: [{{hostPath: {path}, containerPath: /x}}]\n");
            let facts = ConfigFacts::of(&text);
            assert_eq!(facts.check_mounts().is_ok(), here, "{path}");
            assert_eq!(facts.check_remote_mounts().is_ok(), elsewhere, "{path}");
        }
    }
}

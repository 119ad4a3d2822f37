//! A host that you have, reached over SSH: nothing to launch, and to tear down means our clusters on it, never the host.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};

use super::{
    BadInput, DestroyOutcome, KnownLaunches, Owner, Provider, ProvisionedHost, Resource, clusters,
    local::launch_of,
};
use crate::{
    host::{
        Host, HostError,
        ssh::{SshHost, known_host_key},
    },
    inputs::Environment,
    limits::Deadline,
    record::{HostKind, HostRecord, Store},
    report::{Explain as _, Failure, Leftover},
};

/// How long a host that is up already may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A host that you have.
#[derive(Debug)]
pub(crate) struct Ssh {
    record: HostRecord,
    env: Environment,
}

impl Ssh {
    /// The host that the inputs describe: `user@address` or `user@address:port`, an IPv6 address in brackets.
    ///
    /// The host key, where it is not given, is the one in `~/.ssh/known_hosts`.
    ///
    /// # Errors
    /// [`BadInput`] naming the input.
    pub(crate) fn new(
        host: Option<&str>,
        host_key: Option<&str>,
        private_key: Option<&Path>,
        env: &Environment,
    ) -> Result<Self, BadInput> {
        let bad = |reason: String| BadInput {
            input: "host",
            reason,
            remedy: Some(
                "write for example `ubuntu@203.0.113.7` or `ubuntu@203.0.113.7:2222`".to_owned(),
            ),
        };
        let host = host.ok_or_else(|| bad("provider ssh needs a host".to_owned()))?;
        let (user, address, port) =
            parse(host).ok_or_else(|| bad(format!("`{host}` is not user@address")))?;
        if let Some(key) = host_key
            && russh::keys::PublicKey::from_openssh(key).is_err()
        {
            return Err(BadInput {
                input: "host-key",
                reason: "it is no public key".to_owned(),
                remedy: Some(
                    "write it as in /etc/ssh/ssh_host_ed25519_key.pub of the host".to_owned(),
                ),
            });
        }
        if host_key.is_some_and(|key| key.trim_start().starts_with("ssh-rsa ")) {
            return Err(BadInput {
                input: "host-key",
                reason: "RSA keys are not supported".to_owned(),
                remedy: Some(
                    "name the host's ed25519 key: /etc/ssh/ssh_host_ed25519_key.pub".to_owned(),
                ),
            });
        }
        let known_hosts =
            PathBuf::from(env.get("HOME").unwrap_or("/root")).join(".ssh/known_hosts");
        let record = HostRecord {
            kind: HostKind::Ssh,
            host_key: host_key
                .map(str::to_owned)
                .or_else(|| known_host_key(&known_hosts, &address, port)),
            address,
            port,
            user,
            // The tunnel runs in another directory.
            private_key: private_key
                .map(|key| std::path::absolute(key).unwrap_or_else(|_| key.to_owned())),
        };
        if let Err(error) = SshHost::new(&record, env) {
            let remedy = error.hint();
            let (input, reason, remedy) = match error {
                HostError::File { path, source } => (
                    "private-key",
                    format!("cannot use {path}: {source}"),
                    Some(
                        "it has to be an ed25519 or ECDSA key without a passphrase, 0600; RSA keys work from an agent alone"
                            .to_owned(),
                    ),
                ),
                error => ("host-key", error.to_string(), remedy),
            };
            return Err(BadInput {
                input,
                reason,
                remedy,
            });
        }
        Ok(Self::of(record, env))
    }

    /// The host of a record.
    pub(crate) fn of(record: HostRecord, env: &Environment) -> Self {
        Self {
            record,
            env: env.clone(),
        }
    }

    /// The host, once it has let us in.
    ///
    /// # Errors
    /// [`HostError`].
    pub(crate) async fn reach(&self, deadline: Deadline) -> Result<SshHost, HostError> {
        let host = SshHost::new(&self.record, &self.env)?;
        host.wait_until_up(deadline.within(ANSWER_LIMIT)).await?;
        Ok(host)
    }

    fn host(&self) -> Result<Arc<dyn Host>, HostError> {
        Ok(Arc::new(SshHost::new(&self.record, &self.env)?))
    }
}

impl Provider for Ssh {
    fn launch<'a>(
        &'a self,
        store: &'a mut Store,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<ProvisionedHost, Failure>> {
        async move {
            let nothing_made = |error| Failure::from(error).leaving(Leftover::None);
            self.reach(deadline).await.map_err(nothing_made)?;
            store.update(|record| record.launch = Some(launch_of("ssh")))?;
            Ok(ProvisionedHost {
                host: self.record.clone(),
                expires_at: None,
                hourly: None,
                outputs: vec![("public-ip", self.record.address.clone())],
            })
        }
        .boxed()
    }

    fn find<'a>(
        &'a self,
        owner: &'a Owner,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Resource>, Failure>> {
        async move { clusters::find(self.host()?, owner, None, deadline).await }.boxed()
    }

    fn destroy<'a>(
        &'a self,
        owner: &'a Owner,
        _known: Option<&'a KnownLaunches>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<DestroyOutcome, Failure>> {
        async move { clusters::destroy(self.host()?, owner, None, deadline).await }.boxed()
    }
}

/// User, address and port of `user@address[:port]`.
fn parse(text: &str) -> Option<(String, String, u16)> {
    let (user, rest) = text.trim().split_once('@')?;
    let (address, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (address, rest.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((address, port)) => (address, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Some(22), |port| port.parse().ok().filter(|port| *port > 0))?;
    let good =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '@');
    (good(user) && good(address)).then(|| (user.to_owned(), address.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ec2::launch::LaunchKeys;

    #[test]
    fn an_rsa_key_is_refused_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let env = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC0ZjbendeRiI7LcaGgV6DLip9ldpijHzVMO1q1fkoHTYFLrbgnDmdCJS7V4qwA0PVbt4FPFFj+BOLm5YehRO/fooUIxYZf6SUbwOqI6s1XlU++HxlAqdso6mqOxsdK7TMItiden9exDx/gXAYoaESAAiilVqnEKlBF2EoDRD+7fw== h";
        let known = home.path().join(".ssh/known_hosts");
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(&known, format!("192.0.2.1 {rsa}\n")).unwrap();
        let given = Ssh::new(Some("me@192.0.2.1"), Some(rsa), None, &env).unwrap_err();
        assert_eq!(given.to_string(), "host-key: RSA keys are not supported");
        let refused = |host_key, private_key: Option<&Path>| {
            Ssh::new(Some("me@192.0.2.1"), host_key, private_key, &env).unwrap_err()
        };
        // One that `known_hosts` has is as good as none.
        let unknown = refused(None, None);
        assert_eq!(unknown.input, "host-key");
        assert!(unknown.to_string().contains("not known"), "{unknown}");
        let key = home.path().join("id_rsa");
        std::fs::write(
            &key,
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        )
        .unwrap();
        let host = LaunchKeys::generate().unwrap().host_public;
        let private = refused(Some(&host), Some(&key));
        assert_eq!(private.input, "private-key");
        assert!(
            private
                .remedy
                .unwrap()
                .contains("RSA keys work from an agent alone")
        );
    }

    #[test]
    fn reads_hosts_as_people_write_them() {
        let parsed =
            |text| parse(text).map(|(user, address, port)| format!("{user} {address} {port}"));
        assert_eq!(
            parsed("ubuntu@203.0.113.7").unwrap(),
            "ubuntu 203.0.113.7 22"
        );
        assert_eq!(
            parsed("me@host.example:2222").unwrap(),
            "me host.example 2222"
        );
        assert_eq!(parsed("me@[2001:db8::1]:22").unwrap(), "me 2001:db8::1 22");
        for bad in ["host", "@host", "me@", "me@host:x", "me@host:0", "me@a b"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}

//! How a person gets to a host: lines for a terminal, with the host key that was known beforehand.

use std::path::Path;

use super::capture::quoted;
use crate::{
    record::{HostRecord, RecordError, write_private},
    report::one_line,
};

/// Lines for OpenSSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// On the machine that launched it, with the key that is there; absent where the user's own keys are meant.
    pub(crate) here: Option<String>,
    /// On any other, with a key of one's own that the host knows.
    pub(crate) elsewhere: String,
}

impl Login {
    /// The lines for a host. Its key is put into `known_hosts`, a file of the job's state.
    ///
    /// # Errors
    /// [`RecordError`] when that file cannot be written.
    pub(crate) fn to(host: &HostRecord, known_hosts: &Path) -> Result<Self, RecordError> {
        let HostRecord { address, user, .. } = host;
        let key = one_line(host.host_key.as_deref().unwrap_or_default());
        let named = match host.port {
            0 | 22 => address.clone(),
            port => format!("[{address}]:{port}"),
        };
        write_private(known_hosts, format!("{named} {key}\n").as_bytes())?;
        let to = match host.port {
            0 | 22 => format!("{user}@{address}"),
            port => format!("-p {port} {user}@{address}"),
        };
        let strict = "-o StrictHostKeyChecking=yes";
        let here = host.private_key.as_ref().map(|private| {
            let (private, file) = (private.to_string_lossy(), known_hosts.to_string_lossy());
            let (private, file) = (
                quoted(&private),
                quoted(&format!("UserKnownHostsFile={file}")),
            );
            format!("ssh -i {private} -o IdentitiesOnly=yes -o {file} {strict} {to}")
        });
        // Without a file: OpenSSH asks a command for the key (8.5 and later). Another host may have had the address.
        let known = quoted(&format!("KnownHostsCommand=/bin/echo {named} {key}"));
        Ok(Self {
            here,
            elsewhere: format!("ssh -o UserKnownHostsFile=/dev/null -o {known} {strict} {to}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::HostKind;

    #[test]
    fn the_lines_name_key_and_host_key() {
        let dir = tempfile::tempdir().unwrap();
        let known_hosts = dir.path().join("it's known");
        let host = HostRecord {
            kind: HostKind::Ssh,
            address: "203.0.113.7".to_owned(),
            port: 22,
            user: "ubuntu".to_owned(),
            private_key: Some("/state/id_ed25519".into()),
            host_key: Some("ssh-ed25519 AAAA host\n".to_owned()),
        };
        let login = Login::to(&host, &known_hosts).unwrap();
        let here = login.here.unwrap();
        assert!(here.starts_with("ssh -i '/state/id_ed25519' "), "{here}");
        assert!(here.contains(r"it'\''s known"), "{here}");
        assert!(here.ends_with(" ubuntu@203.0.113.7"), "{here}");
        let text = std::fs::read_to_string(&known_hosts).unwrap();
        assert_eq!(text, "203.0.113.7 ssh-ed25519 AAAA host\n");
        let line = "'KnownHostsCommand=/bin/echo 203.0.113.7 ssh-ed25519 AAAA host'";
        assert!(login.elsewhere.contains(line), "{}", login.elsewhere);
        let odd = HostRecord { port: 2222, ..host };
        let login = Login::to(&odd, &known_hosts).unwrap();
        assert!(login.elsewhere.contains("echo [203.0.113.7]:2222 "));
        assert!(login.elsewhere.ends_with("-p 2222 ubuntu@203.0.113.7"));
    }
}

//! User data of the host: who may log in, the host key, and when the host powers itself off.
//!
//! Cloud-init reads YAML, of which JSON is a part; so nothing here has to be quoted by hand.

use jiff::{Timestamp, tz::TimeZone};
use russh::keys::{
    PrivateKey,
    ssh_key::{self, LineEnding, private::Ed25519Keypair},
};
use serde_json::json;

use crate::{limits::Limit, provider::ec2::TTL_TIMER};

/// Whom we log in as: the default user of Ubuntu's images.
pub(crate) const USER: &str = "ubuntu";

/// The two key pairs of one launch; neither is ever used for another.
pub(crate) struct LaunchKeys {
    /// We log in with it. OpenSSH format.
    pub(crate) login: String,
    /// Its public half, one line.
    pub(crate) login_public: String,
    /// The host identifies itself by it. OpenSSH format.
    pub(crate) host: String,
    /// Its public half, one line.
    pub(crate) host_public: String,
}

impl LaunchKeys {
    /// New ones.
    pub(crate) fn generate() -> Result<Self, ssh_key::Error> {
        Self::of(&fresh("manifests-e2e"), &fresh("manifests-e2e-host"))
    }

    /// Those of a launch that was cut short.
    pub(crate) fn read(login: &str, host: &str) -> Result<Self, ssh_key::Error> {
        Self::of(
            &PrivateKey::from_openssh(login)?,
            &PrivateKey::from_openssh(host)?,
        )
    }

    fn of(login: &PrivateKey, host: &PrivateKey) -> Result<Self, ssh_key::Error> {
        let private = |key: &PrivateKey| key.to_openssh(LineEnding::LF);
        Ok(Self {
            login: private(login)?.to_string(),
            login_public: login.public_key().to_openssh()?,
            host: private(host)?.to_string(),
            host_public: host.public_key().to_openssh()?,
        })
    }
}

fn fresh(comment: &str) -> PrivateKey {
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
    key.set_comment(comment);
    key
}

/// The user data: 2 KiB of the 16 that EC2 takes, and the keys of others that may log in.
///
/// The timer is armed by `bootcmd`, before sshd and before anything that can fail; `shutdown +N` would need logind,
/// which is not up that early. Enabled, it is armed by any later boot too: by the calendar, and by the time since boot
/// where the host's clock is wrong.
pub(crate) fn user_data(
    keys: &LaunchKeys,
    more_public: &[String],
    ttl: Limit,
    expires_at: Timestamp,
    any_image: bool,
) -> String {
    let seconds = ttl.duration().as_secs();
    let calendar = expires_at
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC");
    let arm = format!(
        "set -eu
cd /etc/systemd/system
cat >manifests-e2e-ttl.service <<'END'
[Unit]
Description=End of this throw-away host
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/systemctl --no-block --force poweroff
END
cat >{TTL_TIMER} <<'END'
[Unit]
Description=When this throw-away host ends, whatever happens elsewhere
[Timer]
OnBootSec={seconds}s
OnCalendar={calendar}
Persistent=true
AccuracySec=1s
[Install]
WantedBy=timers.target
END
systemctl enable --now --no-block {TTL_TIMER}
"
    );
    let public: Vec<&String> = [&keys.login_public]
        .into_iter()
        .chain(more_public)
        .collect();
    let mut config = json!({
        "bootcmd": [["sh", "-c", arm]],
        "ssh_authorized_keys": public,
        "ssh_deletekeys": true,
        "ssh_keys": {"ed25519_private": keys.host, "ed25519_public": keys.host_public},
        "ssh_pwauth": false,
        "disable_root": true,
    });
    if any_image {
        // The default user has another name in each distribution; we log in by one.
        config["system_info"] = json!({"default_user": {"name": USER}});
    }
    format!("#cloud-config\n{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_known_beforehand_and_ends_by_itself() {
        let keys = LaunchKeys::generate().unwrap();
        let text = user_data(
            &keys,
            &["ssh-ed25519 AAAA me".to_owned()],
            Limit::secs(10_800),
            "2026-11-21T15:00:00Z".parse().unwrap(),
            false,
        );
        assert!(text.starts_with("#cloud-config\n") && text.len() < 4096);
        let config: serde_json::Value =
            serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
        let arm = config["bootcmd"][0][2].as_str().unwrap();
        assert!(
            arm.contains("OnBootSec=10800s\nOnCalendar=2026-11-21 15:00:00 UTC\n"),
            "{arm}"
        );
        assert_eq!(
            config["ssh_keys"]["ed25519_public"],
            keys.host_public.as_str()
        );
        assert!(config.get("system_info").is_none(), "Ubuntu has that user");
        assert_eq!(config["ssh_authorized_keys"][0], keys.login_public.as_str());
        assert_eq!(config["ssh_authorized_keys"][1], "ssh-ed25519 AAAA me");
        // Not the first line, which all keys of this kind have in common.
        assert!(
            !text.contains(keys.login.lines().nth(3).unwrap()),
            "the login key stays here"
        );
    }

    #[test]
    fn an_image_of_another_distribution_gets_the_user_that_we_log_in_as() {
        let keys = LaunchKeys::generate().unwrap();
        let text = user_data(&keys, &[], Limit::secs(60), Timestamp::now(), true);
        let config: serde_json::Value =
            serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
        assert_eq!(config["system_info"]["default_user"]["name"], "ubuntu");
    }

    #[test]
    fn keys_differ_and_can_be_read_back() {
        let keys = LaunchKeys::generate().unwrap();
        assert!(keys.login_public.starts_with("ssh-ed25519 "));
        assert_ne!(
            keys.login_public,
            LaunchKeys::generate().unwrap().login_public
        );
        let again = LaunchKeys::read(&keys.login, &keys.host).unwrap();
        assert_eq!(again.host_public, keys.host_public);
    }
}

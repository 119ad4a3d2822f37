//! What to launch: the inputs, validated as far as possible without a request.

use regex::Regex;
use russh::keys::PublicKey;

use crate::{
    cli::{Arch, Market, ProvisionArgs, PublicIp},
    inputs::{Environment, List},
    limits::Limit,
    provider::{
        BadInput,
        ec2::{
            access::{Cidr, DEFAULT_REGION, region},
            quota::PurchaseOption,
        },
    },
    run::TAG_PREFIX,
};

/// Types with 8 vCPU and 32 GiB (the whole of Kubeflow requests 5.5 CPU), newest first.
pub(crate) const AMD64: [&str; 5] = [
    "m7i.2xlarge",
    "m7a.2xlarge",
    "m6i.2xlarge",
    "m6a.2xlarge",
    "m5.2xlarge",
];
pub(crate) const ARM64: [&str; 3] = ["m8g.2xlarge", "m7g.2xlarge", "m6g.2xlarge"];

/// EC2 takes fifty tags on a resource; a dozen are ours.
const MAX_TAGS: usize = 35;
/// Ten of a kilobyte each fit into the user data.
const MAX_KEYS: usize = 10;

/// The inputs of a launch, each in the form that EC2 expects.
#[derive(Clone, Debug)]
pub(crate) struct LaunchSpec {
    pub(crate) region: String,
    pub(crate) types: Vec<String>,
    /// Empty: all.
    pub(crate) zones: Vec<String>,
    /// Empty: those of the default VPC.
    pub(crate) subnets: Vec<String>,
    /// Absent: the launch creates one.
    pub(crate) security_group: Option<String>,
    pub(crate) public_ip: PublicIp,
    /// Absent: this machine's address.
    pub(crate) ssh_cidr: Option<Cidr>,
    /// In order of preference.
    pub(crate) markets: Vec<PurchaseOption>,
    /// How often all candidates are tried at most.
    pub(crate) rounds: u32,
    pub(crate) ubuntu: String,
    pub(crate) arch: Arch,
    pub(crate) ami: Option<String>,
    pub(crate) disk_gib: i32,
    pub(crate) ttl: Limit,
    pub(crate) tags: Vec<(String, String)>,
    /// Public keys of others who may log in.
    pub(crate) public_keys: Vec<String>,
}

impl LaunchSpec {
    /// Reads and validates the inputs.
    ///
    /// # Errors
    /// [`BadInput`] naming the first that is invalid.
    pub(crate) fn of(args: &ProvisionArgs, env: &Environment) -> Result<Self, BadInput> {
        let list = |list: &Option<List>| list.clone().unwrap_or_default().0;
        let spec = Self {
            region: region(args.region.as_deref(), env)?
                .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            types: match list(&args.instance_types) {
                named if named.is_empty() => defaults(args.arch),
                named => named,
            },
            zones: list(&args.availability_zones),
            subnets: list(&args.subnet_ids),
            security_group: args.security_group_id.clone(),
            public_ip: args.public_ip,
            ssh_cidr: args
                .ssh_cidr
                .as_deref()
                .map(Cidr::parse)
                .transpose()
                .map_err(|reason| BadInput {
                    input: "ssh-cidr",
                    reason,
                    remedy: Some(
                        "write the address that this machine reaches AWS from: 203.0.113.7/32"
                            .to_owned(),
                    ),
                })?,
            markets: match args.market {
                Market::OnDemand => vec![PurchaseOption::OnDemand],
                Market::Spot => vec![PurchaseOption::Spot],
                Market::SpotThenOnDemand => vec![PurchaseOption::Spot, PurchaseOption::OnDemand],
            },
            rounds: u32::from(args.capacity_rounds),
            ubuntu: args.ubuntu.clone(),
            arch: args.arch,
            ami: args.ami.clone(),
            disk_gib: args.disk_gib,
            ttl: args.ttl,
            tags: args.tags.clone().unwrap_or_default().0,
            public_keys: args.ssh_public_keys.clone().unwrap_or_default().0,
        };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), BadInput> {
        each(
            "instance-types",
            &self.types,
            r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$",
            "m7i.2xlarge",
        )?;
        each(
            "subnet-ids",
            &self.subnets,
            "^subnet-[0-9a-f]+$",
            "subnet-0a1b2c3d",
        )?;
        each(
            "security-group-id",
            &self.security_group,
            "^sg-[0-9a-f]+$",
            "sg-0a1b2c3d",
        )?;
        each("ami", &self.ami, "^ami-[0-9a-f]+$", "ami-0a1b2c3d")?;
        each("ubuntu", [&self.ubuntu], r"^[0-9]{2}\.[0-9]{2}$", "24.04")?;
        for zone in &self.zones {
            if !zone.starts_with(&self.region) {
                return Err(BadInput {
                    input: "availability-zones",
                    reason: format!("`{zone}` is not a zone of {}", self.region),
                    remedy: Some(format!("write it as AWS does: {}a", self.region)),
                });
            }
        }
        self.check_public_keys()?;
        self.check_tags()
    }

    fn check_public_keys(&self) -> Result<(), BadInput> {
        let bad = |reason: String| BadInput {
            input: "ssh-public-keys",
            reason,
            remedy: Some("write each as in a .pub file: ssh-ed25519 AAAA…".to_owned()),
        };
        if self.public_keys.len() > MAX_KEYS {
            return Err(bad(format!("more than {MAX_KEYS} do not fit")));
        }
        // The line is not shown: it may be of a private key.
        let odd = |key: &String| key.len() > 1024 || PublicKey::from_openssh(key).is_err();
        match self.public_keys.iter().position(odd) {
            None => Ok(()),
            Some(at) => Err(bad(format!("line {} is no public key", at + 1))),
        }
    }

    fn check_tags(&self) -> Result<(), BadInput> {
        let bad = |reason: String| BadInput {
            input: "tags",
            reason,
            remedy: None,
        };
        if self.tags.len() > MAX_TAGS {
            return Err(bad(format!(
                "{} are more than the {MAX_TAGS} there is room for",
                self.tags.len()
            )));
        }
        for (key, value) in &self.tags {
            if key.starts_with("aws:") || key.starts_with(TAG_PREFIX) || key == "Name" {
                return Err(bad(format!("`{key}` is set by AWS or by this tool")));
            }
            if key.chars().count() > 128 || value.chars().count() > 256 {
                return Err(bad(format!(
                    "`{key}` is too long: a key has at most 128 characters, a value 256"
                )));
            }
        }
        Ok(())
    }

    /// The architecture as Canonical names images.
    pub(crate) fn arch_name(&self) -> &'static str {
        match self.arch {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }
}

fn defaults(arch: Arch) -> Vec<String> {
    let types: &[&str] = match arch {
        Arch::Amd64 => &AMD64,
        Arch::Arm64 => &ARM64,
    };
    types.iter().copied().map(str::to_owned).collect()
}

fn each<'a>(
    input: &'static str,
    values: impl IntoIterator<Item = &'a String>,
    shape: &str,
    example: &str,
) -> Result<(), BadInput> {
    let shape = Regex::new(shape).expect("the pattern is fixed");
    match values.into_iter().find(|value| !shape.is_match(value)) {
        None => Ok(()),
        Some(value) => Err(BadInput {
            input,
            reason: format!("`{value}` is malformed"),
            remedy: Some(format!("write it as AWS does: {example}")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        provider::ec2::price,
    };

    fn spec(options: &[&str]) -> Result<LaunchSpec, BadInput> {
        let words = ["manifests-e2e", "provision-ec2"].iter().chain(options);
        let Command::ProvisionEc2(staged) = Cli::try_parse_from(words).unwrap().command else {
            unreachable!("that is what was typed")
        };
        LaunchSpec::of(&staged.args.args, &Environment::default())
    }

    #[test]
    fn nothing_set_is_enough() {
        let spec = spec(&[]).unwrap();
        assert_eq!((spec.region.as_str(), spec.disk_gib), ("us-east-1", 80));
        assert_eq!(spec.types[0], "m7i.2xlarge");
        assert_eq!(spec.markets, [PurchaseOption::OnDemand]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (option, input) in [
            ("--region=us_east_1", "region"),
            ("--instance-types=m7i.2xlarge,big", "instance-types"),
            ("--availability-zones=eu-west-1a", "availability-zones"),
            ("--subnet-ids=subnet-x", "subnet-ids"),
            ("--security-group-id=default", "security-group-id"),
            ("--ami=ubuntu", "ami"),
            ("--ubuntu=noble", "ubuntu"),
            ("--ssh-cidr=10.0.0.1/33", "ssh-cidr"),
            ("--ssh-cidr=0.0.0.0/0", "ssh-cidr"),
            ("--ssh-cidr=::/0", "ssh-cidr"),
            ("--ssh-cidr=0.0.0.0/1", "ssh-cidr"),
            ("--ssh-cidr=2000::/3", "ssh-cidr"),
            ("--ssh-cidr=here", "ssh-cidr"),
            ("--tags=manifests-e2e/run=x", "tags"),
            ("--tags=aws:x=y", "tags"),
            ("--ssh-public-keys=ssh-ed25519 nonsense", "ssh-public-keys"),
            (
                "--ssh-public-keys=-----BEGIN OPENSSH PRIVATE KEY-----",
                "ssh-public-keys",
            ),
        ] {
            let error = spec(&[option]).expect_err(option);
            assert_eq!(error.input, input, "{error}");
        }
    }

    #[test]
    fn an_address_alone_is_one_machine() {
        let cidr = |text| {
            spec(&[&format!("--ssh-cidr={text}")])
                .unwrap()
                .ssh_cidr
                .unwrap()
                .to_string()
        };
        assert_eq!(cidr("203.0.113.7"), "203.0.113.7/32");
        assert_eq!(cidr("10.0.0.0/8"), "10.0.0.0/8");
        assert_eq!(cidr("2001:db8::1"), "2001:db8::1/128");
    }

    #[test]
    fn each_default_type_has_a_price_somewhere() {
        for instance_type in AMD64.iter().chain(&ARM64) {
            let price = price::hourly("us-east-1", instance_type);
            assert!(price.is_some(), "{instance_type}");
        }
    }
}

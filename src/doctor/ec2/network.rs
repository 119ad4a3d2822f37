//! What lies between this machine and the host, as far as it is known beforehand.

use crate::{
    doctor::Check,
    inputs::Environment,
    provider::ec2::launch::{self, LaunchSpec, Subnet},
};

/// Of subnets that give no public address.
pub(super) fn private(spec: &LaunchSpec, subnets: &[Subnet]) -> Option<Check> {
    let warning = launch::without_public_ip(spec, subnets)?;
    let check = Check::warning("public-ip", warning);
    Some(check.remedy("run this on a machine of that VPC, or set `public-ip` to yes"))
}

/// Of a proxy: SSH takes none.
pub(super) fn proxy(env: &Environment) -> Option<Check> {
    let (name, _) = env.https_proxy()?;
    let check = Check::warning(
        name,
        "AWS and downloads are asked through it; SSH goes without",
    );
    Some(check.remedy("this machine needs a way of its own to port 22 of the host"))
}

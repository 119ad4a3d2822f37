//! The quotas of an account: which one a refusal means, and what to do about it. Source: Service Quotas.

/// How an instance is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurchaseOption {
    OnDemand,
    Spot,
}

impl PurchaseOption {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        }
    }
}

/// A quota of the account in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Its name in Service Quotas.
    pub(crate) name: &'static str,
    /// Its service and code there, where known.
    pub(crate) code: Option<(&'static str, &'static str)>,
}

const fn ec2(name: &'static str, code: &'static str) -> Quota {
    Quota {
        name,
        code: Some(("ec2", code)),
    }
}

const fn named(name: &'static str) -> Quota {
    Quota { name, code: None }
}

impl Quota {
    /// The quota that a code means, for a request of this type in this market.
    pub(crate) fn of(code: &str, market: PurchaseOption, instance_type: &str) -> Self {
        match (code, market) {
            ("VolumeLimitExceeded" | "Client.VolumeLimitExceeded", _) => Self {
                name: "Storage for General Purpose SSD (gp3) volumes, in TiB",
                code: Some(("ebs", "L-7A658B76")),
            },
            ("MaxIOPSLimitExceeded", _) => named("IOPS of EBS volumes"),
            ("NetworkInterfaceLimitExceeded", _) => named("Network interfaces per Region"),
            ("SecurityGroupLimitExceeded", _) => named("VPC security groups per Region"),
            ("ResourceLimitExceeded", _) => named("a limit that EC2 does not name"),
            ("MaxSpotInstanceCountExceeded", _) | (_, PurchaseOption::Spot) => spot(instance_type),
            _ => on_demand(instance_type),
        }
    }

    /// Whether a code means a quota that all candidates share, whatever their type and market.
    pub(crate) fn is_shared(code: &str) -> bool {
        !matches!(
            code,
            "VcpuLimitExceeded" | "InstanceLimitExceeded" | "MaxSpotInstanceCountExceeded"
        )
    }

    /// What to do about it.
    pub(crate) fn advice(&self, region: &str) -> String {
        let page = match self.code {
            Some((service, code)) => format!("services/{service}/quotas/{code}"),
            None => "services/ec2/quotas".to_owned(),
        };
        let code = self
            .code
            .map(|(_, code)| format!(" ({code})"))
            .unwrap_or_default();
        format!(
            "ask for more of `{}`{code} at https://console.aws.amazon.com/servicequotas/home/{page}?region={region}, \
             or end what uses it",
            self.name
        )
    }
}

/// The letters before the generation: `m` of `m7i.2xlarge`, `inf` of `inf2.xlarge`, `u` of `u-3tb1.56xlarge`.
fn family(instance_type: &str) -> &str {
    let end = instance_type.find(|c: char| !c.is_ascii_lowercase());
    &instance_type[..end.unwrap_or(instance_type.len())]
}

fn on_demand(instance_type: &str) -> Quota {
    match family(instance_type) {
        "a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z" => ec2(
            "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            "L-1216C47A",
        ),
        "g" | "gr" | "vt" => ec2("Running On-Demand G and VT instances", "L-DB2E81BA"),
        "p" => ec2("Running On-Demand P instances", "L-417A185B"),
        "f" => named("Running On-Demand F instances"),
        "x" => named("Running On-Demand X instances"),
        "inf" => named("Running On-Demand Inf instances"),
        "trn" => named("Running On-Demand Trn instances"),
        "dl" => named("Running On-Demand DL instances"),
        "hpc" => named("Running On-Demand HPC instances"),
        "u" => named("Running On-Demand High Memory instances"),
        _ => named("Running On-Demand instances of this family"),
    }
}

fn spot(instance_type: &str) -> Quota {
    match family(instance_type) {
        "a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z" => ec2(
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            "L-34B43A08",
        ),
        "g" | "gr" | "vt" => ec2("All G and VT Spot Instance Requests", "L-3819A6DF"),
        "p" => ec2("All P Spot Instance Requests", "L-7212CCBC"),
        "f" => named("All F Spot Instance Requests"),
        "x" => named("All X Spot Instance Requests"),
        "inf" => named("All Inf Spot Instance Requests"),
        "trn" => named("All Trn Spot Instance Requests"),
        "dl" => named("All DL Spot Instance Requests"),
        _ => named("Spot Instance Requests of this family"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_named_by_market_and_family() {
        let name = |code, market, instance_type| Quota::of(code, market, instance_type).name;
        let standard = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";
        let vcpu = "VcpuLimitExceeded";
        for (code, market, instance_type, expected) in [
            (vcpu, PurchaseOption::OnDemand, "m7i.2xlarge", standard),
            (vcpu, PurchaseOption::OnDemand, "c7i-flex.large", standard),
            (
                vcpu,
                PurchaseOption::OnDemand,
                "g5.xlarge",
                "Running On-Demand G and VT instances",
            ),
            (
                vcpu,
                PurchaseOption::Spot,
                "p5.48xlarge",
                "All P Spot Instance Requests",
            ),
            (
                "MaxSpotInstanceCountExceeded",
                PurchaseOption::Spot,
                "t3.large",
                "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            ),
            (
                "InstanceLimitExceeded",
                PurchaseOption::OnDemand,
                "inf2.xlarge",
                "Running On-Demand Inf instances",
            ),
            (
                "VolumeLimitExceeded",
                PurchaseOption::Spot,
                "m5.large",
                "Storage for General Purpose SSD (gp3) volumes, in TiB",
            ),
        ] {
            assert_eq!(
                name(code, market, instance_type),
                expected,
                "{code} {instance_type}"
            );
        }
        let advice = Quota::of(vcpu, PurchaseOption::OnDemand, "m5.large").advice("eu-west-1");
        assert!(
            advice.contains("L-1216C47A") && advice.contains("region=eu-west-1"),
            "{advice}"
        );
    }
}

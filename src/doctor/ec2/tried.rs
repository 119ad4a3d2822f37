//! What an answer to a request with `DryRun` means.

use crate::{
    doctor::Check,
    iam::Policy,
    provider::ec2::{class::ErrorClass, errors::Ec2Error},
    report::Exit,
};

/// How a request with `DryRun` was answered.
#[derive(Debug)]
pub(super) enum DryRunAnswer {
    /// It would have been carried out.
    Allowed,
    /// The caller may not; what EC2 says.
    Denied(String),
    /// Anything else.
    Failed(Ec2Error),
    /// It was carried out: whoever answers does not know `DryRun`.
    CarriedOut,
}

impl DryRunAnswer {
    pub(super) fn of(answer: Result<(), Ec2Error>) -> Self {
        match answer {
            Ok(()) => Self::CarriedOut,
            Err(error) if error.code() == "DryRunOperation" => Self::Allowed,
            Err(error) if error.class() == ErrorClass::Denied => {
                let said = error.to_string();
                // What follows is for `aws sts decode-authorization-message`.
                let said = said.split(" Encoded authorization").next().unwrap_or(&said);
                Self::Denied(said.to_owned())
            }
            Err(error) => Self::Failed(error),
        }
    }
}

/// A call that was tried.
#[derive(Debug)]
pub(super) struct TriedCall {
    pub(super) call: &'static str,
    pub(super) tried: DryRunAnswer,
    /// Whether it was on a resource with our tags or on none. Otherwise it was on a made-up id.
    pub(super) on_ours: bool,
}

impl TriedCall {
    /// Whether EC2 could not be asked at all.
    pub(super) fn is_fault(&self) -> bool {
        let DryRunAnswer::Failed(error) = &self.tried else {
            return false;
        };
        matches!(error.class(), ErrorClass::Credentials | ErrorClass::Fault)
            || matches!(error, Ec2Error::TimedOut { .. })
    }
}

/// The checks of these: one for all that are allowed, one for all that cannot be told, one for each that is not.
pub(super) fn tell(told: Vec<TriedCall>, policy: &Policy) -> Vec<Check> {
    let (mut allowed, mut open, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for TriedCall {
        call,
        tried,
        on_ours,
    } in told
    {
        let what = format!("ec2:{call}");
        match tried {
            DryRunAnswer::Allowed => allowed.push(what),
            // Of something made up it cannot be told whether the tag or the permission is missing.
            DryRunAnswer::Denied(_) | DryRunAnswer::Failed(_) if !on_ours => open.push(what),
            DryRunAnswer::Denied(said) => checks.push(denied(&what, &what, said, policy)),
            DryRunAnswer::Failed(error) => checks.push(Check::failed(what, error)),
            DryRunAnswer::CarriedOut => checks.push(Check::warning(
                what,
                "it was carried out although it said DryRun",
            )),
        }
    }
    if !allowed.is_empty() {
        checks.insert(0, Check::ok(allowed.join(", "), "allowed"));
    }
    if !open.is_empty() {
        let found =
            "not told: a policy allows these on what carries our tags, and nothing here does yet";
        let check = Check::warning(open.join(", "), found);
        checks.push(check.remedy("run doctor once more while a host lives; `manifests-e2e iam-policy` prints what allows them"));
    }
    checks
}

/// A call that is not allowed, with what would allow it.
fn denied(what: &str, call: &str, said: String, policy: &Policy) -> Check {
    Check::missing(Exit::Infrastructure, what, said)
        .remedy("let the credentials' policy say what follows; `manifests-e2e iam-policy` prints the whole of it")
        .allow(&policy.allowing(call))
}

/// The check of a launch. `group`: into a security group that is there. `spare`: another type comes before it.
pub(super) fn launch(
    what: String,
    tried: DryRunAnswer,
    group: bool,
    spare: bool,
    policy: &Policy,
) -> Check {
    match tried {
        DryRunAnswer::Allowed => Check::ok(what, "allowed"),
        // The group is made, and tagged, shortly before the launch.
        DryRunAnswer::Denied(said) if !group && said.contains(":security-group/") => not_yet(what),
        DryRunAnswer::Denied(said) => denied(&what, "ec2:RunInstances", said, policy),
        DryRunAnswer::Failed(error)
            if spare
                || matches!(
                    ErrorClass::of(error.code()),
                    ErrorClass::Capacity | ErrorClass::NotInZone | ErrorClass::SpotClosed
                ) =>
        {
            Check::warning(what, error.to_string())
                .remedy("another type or zone may do: name them by `instance-types`")
        }
        DryRunAnswer::Failed(error) => Check::failed(what, error),
        DryRunAnswer::CarriedOut => Check::missing(
            Exit::BadInput,
            what,
            "it was carried out although it said DryRun",
        ),
    }
}

fn not_yet(what: String) -> Check {
    Check::warning(
        what,
        "not told beyond its security group, which is made and tagged by the launch itself",
    )
    .remedy(
        "run doctor once more while a host lives; `manifests-e2e iam-policy` prints what allows it",
    )
}

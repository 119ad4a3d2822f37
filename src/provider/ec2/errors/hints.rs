//! What to do about a refusal, and about an instance that ended by itself.

use super::{
    super::{
        class::ErrorClass,
        quota::{PurchaseOption, Quota},
    },
    QuotaRefusal,
};

/// After a refusal for a quota.
pub(super) fn quota(reached: &QuotaRefusal) -> String {
    let advice = reached.quota.advice(&reached.region);
    if Quota::is_shared(&reached.code) {
        advice
    } else {
        format!("{advice}; or name smaller types by `instance-types`, or another `market`")
    }
}

/// After a refusal.
pub(super) fn refusal(call: &str, code: &str) -> Option<String> {
    Some(match (ErrorClass::of(code), code) {
        (_, "AuthFailure.ServiceLinkedRoleCreationNotPermitted") => {
            "spot needs a role that the account lacks: `aws iam create-service-linked-role \
             --aws-service-name spot.amazonaws.com`, once; or set `market` to on-demand"
                .to_owned()
        }
        (ErrorClass::SpotClosed, _) => "set `market` to spot-then-on-demand, or to on-demand".to_owned(),
        (ErrorClass::Quota, _) => "the account has reached a limit: see Service Quotas in the AWS console".to_owned(),
        (_, "PendingVerification") => {
            "AWS is still verifying the account for this region: it says so by mail, mostly within minutes".to_owned()
        }
        (_, "Blocked") => "AWS has blocked the account: ask AWS Support".to_owned(),
        (_, "OptInRequired") => {
            "enable the region for the account, or subscribe to what the image needs in AWS Marketplace".to_owned()
        }
        (ErrorClass::Denied, _) => format!("the credentials need ec2:{call}; `manifests-e2e iam-policy` prints the whole policy"),
        (_, "AuthFailure") => {
            "is the region enabled for the account? Where it is, the credentials are wrong, or of another partition: renew them"
                .to_owned()
        }
        (ErrorClass::Credentials, _) => {
            "the credentials have expired or belong to another account or partition: renew them".to_owned()
        }
        (ErrorClass::Fault, _) => "AWS was in trouble or asked too often until the time was over: try again later".to_owned(),
        _ => return None,
    })
}

/// After an instance ended by itself.
pub(crate) fn death(code: &str, region: &str) -> Option<String> {
    let hint = match code {
        "Client.UserInitiatedShutdown" => {
            "somebody asked for its end: a `teardown` of this job, or `reap`"
        }
        "Client.InstanceInitiatedShutdown" => "it powered itself off: is its `ttl` long enough?",
        "Client.InternalError" => {
            "mostly the key that encrypts its disk: may these credentials use the account's default key for EBS?"
        }
        "Client.VolumeLimitExceeded" => {
            return Some(Quota::of(code, PurchaseOption::OnDemand, "").advice(region));
        }
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown" => {
            "AWS took the spot capacity back: set `market` to spot-then-on-demand or on-demand"
        }
        code if code.starts_with("Server.") => {
            "the fault is on AWS's side: try again, perhaps in another zone"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

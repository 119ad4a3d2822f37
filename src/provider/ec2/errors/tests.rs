//! What a code means and what is advised.

use std::time::Duration;

use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_sdk_ec2::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    operation::describe_regions::DescribeRegionsError,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::*;
use crate::limits::Limit;

#[test]
fn each_refusal_says_what_to_do() {
    let refused = |code: &str| Ec2Error::Refused {
        call: "RunInstances",
        region: "us-east-1".to_owned(),
        code: code.to_owned(),
        message: String::new(),
        later: false,
    };
    for (code, part) in [
        ("UnauthorizedOperation", "ec2:RunInstances"),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "spot.amazonaws.com",
        ),
        ("SpotMaxPriceTooLow", "spot-then-on-demand"),
        ("PendingVerification", "verifying"),
        ("Blocked", "AWS Support"),
        ("OptInRequired", "enable the region"),
        ("AuthFailure", "is the region enabled"),
        ("ExpiredToken", "renew them"),
        ("RequestLimitExceeded", "too often"),
        ("SecurityGroupLimitExceeded", "Service Quotas"),
    ] {
        let hint = refused(code).hint().unwrap_or_default();
        assert!(hint.contains(part), "{code}: {hint}");
    }
    assert_eq!(refused("AuthFailure").exit(), Exit::Infrastructure);
}

#[test]
fn a_quota_is_named_with_the_page_that_raises_it() {
    let code = "VcpuLimitExceeded";
    let error = Ec2Error::QuotaReached(Box::new(QuotaRefusal {
        region: "us-east-1".to_owned(),
        code: code.to_owned(),
        message: "You have requested more vCPU capacity".to_owned(),
        quota: Quota::of(
            code,
            crate::provider::ec2::quota::PurchaseOption::OnDemand,
            "m7i.2xlarge",
        ),
        attempts: Vec::new(),
    }));
    assert!(
        error.to_string().contains("Running On-Demand Standard"),
        "{error}"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("servicequotas") && hint.contains("smaller types"),
        "{hint}"
    );
    assert_eq!(error.exit(), Exit::Infrastructure);
}

#[test]
fn a_type_that_the_region_lacks_is_no_other_bad_value() {
    let refused = |message: &str| Ec2Error::Refused {
        call: "RunInstances",
        region: "eu-south-2".to_owned(),
        code: "InvalidParameterValue".to_owned(),
        message: message.to_owned(),
        later: false,
    };
    assert_eq!(
        refused("Invalid value 'm7a.2xlarge' for InstanceType.").class(),
        ErrorClass::NoSuchType
    );
    assert_eq!(
        refused("Invalid value '7' for throughput.").class(),
        ErrorClass::Input
    );
}

#[test]
fn a_code_that_nobody_knows_is_a_fault_where_the_status_says_so() {
    let refused = |code: &str, later| Ec2Error::Refused {
        call: "RunInstances",
        region: "us-east-1".to_owned(),
        code: code.to_owned(),
        message: String::new(),
        later,
    };
    assert_eq!(refused("SomethingNew", true).class(), ErrorClass::Fault);
    assert_eq!(refused("SomethingNew", false).class(), ErrorClass::Other);
    // EC2 says it with status 500, and asking for the same again would not help.
    assert_eq!(
        refused("InsufficientInstanceCapacity", true).class(),
        ErrorClass::Capacity
    );
}

#[tokio::test]
async fn absent_credentials_are_told_by_the_type_of_the_error_not_by_its_text() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let absent = asked_with(|| CredentialsError::not_loaded("no profile")).await;
    assert!(
        matches!(&absent, Ec2Error::NoCredentials { reason } if reason.contains("no profile")),
        "{absent:?}"
    );
    // In the middle of a teardown the next look may get them.
    let hiccup =
        asked_with(|| CredentialsError::provider_error("the metadata service is busy")).await;
    assert!(hiccup.is_passing(), "{hiccup:?}");
    let late = asked_with(|| CredentialsError::provider_timed_out(Duration::from_secs(1))).await;
    assert!(late.is_passing(), "{late:?}");
    let other: SdkError<DescribeRegionsError> =
        SdkError::construction_failure("the proxy wants a credential");
    let other = refused("DescribeRegions", "us-east-1", &other);
    assert!(matches!(other, Ec2Error::NoAnswer { .. }), "{other:?}");
}

/// What a request comes to whose credentials cannot be had.
async fn asked_with(error: impl Fn() -> CredentialsError + Send + Sync + 'static) -> Ec2Error {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .credentials_provider(provide_credentials_fn(move || {
            std::future::ready(Err(error()))
        }))
        .build();
    let request = Client::from_conf(config).describe_regions().send();
    let deadline = Deadline::after(Limit::secs(20));
    let asked = ask("DescribeRegions", "us-east-1", deadline, request).await;
    asked.expect_err("it has no credentials")
}

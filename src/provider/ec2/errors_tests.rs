//! What a code means and what is advised.

use super::*;

#[test]
fn a_code_tells_what_to_do_next() {
    for (code, class) in [
        ("InsufficientInstanceCapacity", Class::Capacity),
        ("Unsupported", Class::Capacity),
        ("VcpuLimitExceeded", Class::Quota),
        ("UnauthorizedOperation", Class::Denied),
        ("AuthFailure", Class::Credentials),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            Class::Capacity,
        ),
        ("RequestLimitExceeded", Class::Fault),
        ("InvalidAMIID.NotFound", Class::Input),
        ("InvalidInstanceID.NotFound", Class::Other),
    ] {
        assert_eq!(Class::of(code), class, "{code}");
    }
}

#[test]
fn a_quota_names_itself_and_a_missing_permission_the_call() {
    let refused = |code: &str| Ec2Error::Refused {
        call: "RunInstances",
        region: "us-east-1".to_owned(),
        code: code.to_owned(),
        message: String::new(),
    };
    let hint = refused("VcpuLimitExceeded").hint().unwrap();
    assert!(hint.contains("quota of vCPUs"), "{hint}");
    let hint = refused("UnauthorizedOperation").hint().unwrap();
    assert!(hint.contains("ec2:RunInstances"), "{hint}");
    assert_eq!(refused("AuthFailure").exit(), Exit::Infrastructure);
}

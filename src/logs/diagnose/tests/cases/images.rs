//! Images that do not come.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let pulls = |message: &str| of([pod("p", &waits("ErrImagePull", message))]);
    let gone = "quay.io/x:1: not found";
    let odd = "rpc error: something odd";
    vec![
        case(
            Class::RegistryNameUnknown,
            pulls("dial tcp: lookup quay.io: no such host"),
            pulls("dial tcp 1.2.3.4:443: i/o timeout"),
        ),
        case(
            Class::RegistryUnreachable,
            pulls("dial tcp 1.2.3.4:443: i/o timeout"),
            pulls("dial tcp: lookup quay.io: no such host"),
        ),
        case(
            Class::RegistryRateLimited,
            pulls("toomanyrequests: slow down"),
            pulls(gone),
        ),
        case(
            Class::RegistryAccessDenied,
            pulls("401 Unauthorized"),
            pulls(gone),
        ),
        case(Class::ImageNotFound, pulls(gone), pulls("401 Unauthorized")),
        case(
            Class::ImageNameInvalid,
            of([pod(
                "p",
                &waits("InvalidImageName", "invalid reference format"),
            )]),
            pulls(gone),
        ),
        case(
            Class::ImagePlatformMissing,
            pulls("no match for platform in manifest: not found"),
            pulls(gone),
        ),
        case(
            Class::ImageNeverPulled,
            of([pod("p", &waits("ErrImageNeverPull", "it is not present"))]),
            pulls(gone),
        ),
        case(Class::ImagePullFailed, pulls(odd), pulls(gone)),
    ]
}

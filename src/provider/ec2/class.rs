//! What an error code of EC2 means.
//!
//! Given codes alone; source: the EC2 API reference, "Error codes for the Amazon EC2 API".

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// No capacity for this type in this zone and market: another candidate may succeed, or the same one later.
    Capacity,
    /// This zone does not offer this type.
    NotInZone,
    /// This region does not offer this type.
    NoSuchType,
    /// The account may not buy spot, or not at this price: on-demand may succeed.
    SpotClosed,
    /// A quota of the account is used up.
    Quota,
    /// The account itself needs a change: verification, support or opt-in.
    Account,
    /// The caller lacks the permission.
    Denied,
    /// The credentials are not accepted.
    Credentials,
    /// An input names something that is not there or cannot be.
    Input,
    /// The client token was used for another request.
    Mismatch,
    /// The client token was used for an instance that is terminated.
    Spent,
    /// A fault on the way, or too many requests: the same request may succeed later.
    Fault,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// The class of an error code.
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "InsufficientInstanceCapacity"
            | "InsufficientHostCapacity"
            | "InsufficientCapacity"
            | "InsufficientReservedInstanceCapacity"
            | "InsufficientCapacityOnHost"
            | "InsufficientFreeAddressesInSubnet"
            | "InsufficientVolumeCapacity"
            | "ReservationCapacityExceeded"
            | "UnfulfillableCapacity" => Self::Capacity,
            "Unsupported" | "UnsupportedOperation" => Self::NotInZone,
            "InvalidInstanceType" => Self::NoSuchType,
            "SpotMaxPriceTooLow" | "AuthFailure.ServiceLinkedRoleCreationNotPermitted" => {
                Self::SpotClosed
            }
            "VcpuLimitExceeded"
            | "MaxSpotInstanceCountExceeded"
            | "InstanceLimitExceeded"
            | "VolumeLimitExceeded"
            | "MaxIOPSLimitExceeded"
            | "SecurityGroupLimitExceeded"
            | "NetworkInterfaceLimitExceeded"
            | "ResourceLimitExceeded" => Self::Quota,
            "PendingVerification" | "Blocked" | "OptInRequired" => Self::Account,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "OperationNotPermitted" => Self::Denied,
            "AuthFailure"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken" => Self::Credentials,
            "IdempotentParameterMismatch" => Self::Mismatch,
            "IdempotentInstanceTerminated" => Self::Spent,
            "RequestLimitExceeded"
            | "EC2ThrottledException"
            | "Throttling"
            | "ThrottlingException"
            | "InternalError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "Unavailable" => Self::Fault,
            code if code.starts_with("InvalidAMI")
                || code.starts_with("InvalidParameter")
                || code.starts_with("InvalidSubnet")
                || code.starts_with("InvalidGroup")
                || code.starts_with("InvalidSecurityGroup")
                || code.starts_with("InvalidBlockDevice")
                || code == "MissingParameter" =>
            {
                Self::Input
            }
            _ => Self::Other,
        }
    }

    /// Whether a retry of the same request may succeed.
    pub(crate) const fn again(self) -> bool {
        matches!(self, Self::Fault | Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_class() {
        use ErrorClass::{
            Account, Capacity, Credentials, Denied, Fault, Input, Mismatch, NoSuchType, NotInZone,
            Other, Quota, Spent, SpotClosed,
        };
        for (class, codes) in [
            (
                Capacity,
                &[
                    "InsufficientInstanceCapacity",
                    "InsufficientHostCapacity",
                    "InsufficientCapacity",
                    "InsufficientReservedInstanceCapacity",
                    "UnfulfillableCapacity",
                    "InsufficientFreeAddressesInSubnet",
                    "InsufficientVolumeCapacity",
                    "ReservationCapacityExceeded",
                    "InsufficientCapacityOnHost",
                ] as &[_],
            ),
            (NotInZone, &["Unsupported", "UnsupportedOperation"]),
            (NoSuchType, &["InvalidInstanceType"]),
            (
                SpotClosed,
                &[
                    "SpotMaxPriceTooLow",
                    "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                ],
            ),
            (
                Quota,
                &[
                    "VcpuLimitExceeded",
                    "MaxSpotInstanceCountExceeded",
                    "InstanceLimitExceeded",
                    "VolumeLimitExceeded",
                    "ResourceLimitExceeded",
                ],
            ),
            (
                Account,
                &["PendingVerification", "Blocked", "OptInRequired"],
            ),
            (Denied, &["UnauthorizedOperation", "AccessDenied"]),
            (
                Credentials,
                &[
                    "AuthFailure",
                    "ExpiredToken",
                    "RequestExpired",
                    "InvalidClientTokenId",
                ],
            ),
            (Mismatch, &["IdempotentParameterMismatch"]),
            (Spent, &["IdempotentInstanceTerminated"]),
            (
                Fault,
                &[
                    "RequestLimitExceeded",
                    "EC2ThrottledException",
                    "Throttling",
                    "InternalError",
                    "InternalFailure",
                    "ServiceUnavailable",
                    "Unavailable",
                ],
            ),
            (
                Input,
                &[
                    "InvalidAMIID.NotFound",
                    "InvalidParameterValue",
                    "InvalidSubnetID.NotFound",
                    "InvalidGroup.NotFound",
                ],
            ),
            (
                Other,
                &["InvalidInstanceID.NotFound", "DependencyViolation", ""],
            ),
        ] {
            for code in codes {
                assert_eq!(ErrorClass::of(code), class, "{code}");
            }
        }
    }
}

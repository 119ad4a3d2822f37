//! The partition of AWS that a region is in, and what has another name in each.
//!
//! Source: the AWS General Reference ("IAM endpoints and quotas"), and Canonical's "Find Ubuntu images on AWS".

/// A partition, by its regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partition {
    Commercial,
    China,
    GovCloud,
}

impl Partition {
    /// That of a region.
    pub(crate) fn of(region: &str) -> Self {
        if region.starts_with("cn-") {
            Self::China
        } else if region.starts_with("us-gov-") {
            Self::GovCloud
        } else {
            Self::Commercial
        }
    }

    /// The account that Canonical publishes Ubuntu's images from.
    pub(crate) const fn canonical(self) -> &'static str {
        match self {
            Self::Commercial => "099720109477",
            Self::China => "837727238323",
            Self::GovCloud => "513442679011",
        }
    }

    /// Where a service that each region has is asked.
    pub(crate) fn endpoint(self, service: &str, region: &str) -> String {
        let domain = match self {
            Self::China => "amazonaws.com.cn",
            Self::Commercial | Self::GovCloud => "amazonaws.com",
        };
        format!("https://{service}.{region}.{domain}/")
    }

    /// Where IAM, which is one for all regions, is asked, and the region that a request to it is signed for.
    pub(crate) const fn iam(self) -> (&'static str, &'static str) {
        match self {
            Self::Commercial => ("https://iam.amazonaws.com/", "us-east-1"),
            Self::China => ("https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
            Self::GovCloud => ("https://iam.us-gov.amazonaws.com/", "us-gov-west-1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition() {
        for (region, partition) in [
            ("us-east-1", Partition::Commercial),
            ("eu-west-3", Partition::Commercial),
            ("cn-northwest-1", Partition::China),
            ("us-gov-east-1", Partition::GovCloud),
        ] {
            assert_eq!(Partition::of(region), partition, "{region}");
        }
    }
}

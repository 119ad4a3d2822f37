//! The image to launch: the newest of Canonical, or the one that is named, with its root device.

use aws_sdk_ec2::{Client, types::Image};

use super::spec::LaunchSpec;
use crate::{
    cli::Arch,
    limits::Deadline,
    provider::ec2::{
        errors::{Ec2Error, ask},
        filter,
        partition::Partition,
    },
};

/// An image that can be launched.
#[derive(Clone, Debug)]
pub(crate) struct ChosenImage {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Name of the device that the volume's settings are for.
    pub(crate) root_device: String,
}

/// Finds the image, in one request.
pub(crate) async fn choose(
    ec2: &Client,
    spec: &LaunchSpec,
    deadline: Deadline,
) -> Result<ChosenImage, Ec2Error> {
    let request = ec2.describe_images();
    let request = match &spec.ami {
        Some(ami) => request.image_ids(ami),
        None => request
            .owners(Partition::of(&spec.region).canonical())
            .filters(filter(
                "name",
                [format!(
                    "ubuntu/images/hvm-ssd*/ubuntu-*-{}-{}-server-*",
                    spec.ubuntu,
                    spec.arch_name()
                )],
            ))
            .filters(filter(
                "architecture",
                [match spec.arch {
                    Arch::Amd64 => "x86_64",
                    Arch::Arm64 => "arm64",
                }],
            ))
            .filters(filter("state", ["available"])),
    };
    let answer = ask("DescribeImages", &spec.region, deadline, request.send()).await?;
    let newest = answer
        .images
        .unwrap_or_default()
        .into_iter()
        .max_by(|a, b| age(a).cmp(&age(b)));
    match (newest, &spec.ami) {
        (Some(image), _) => Ok(ChosenImage {
            id: image.image_id.unwrap_or_default(),
            name: image.name.unwrap_or_default(),
            root_device: image
                .root_device_name
                .unwrap_or_else(|| "/dev/sda1".to_owned()),
        }),
        (None, Some(ami)) => Err(Ec2Error::Input {
            input: "ami",
            reason: format!("there is no image {ami} in {}", spec.region),
        }),
        (None, None) => Err(Ec2Error::NoImage {
            release: spec.ubuntu.clone(),
            arch: spec.arch_name(),
            region: spec.region.clone(),
        }),
    }
}

/// Creation dates are RFC 3339 in UTC, so they sort as text; names end in the date of the build.
fn age(image: &Image) -> (&str, &str) {
    (
        image.creation_date().unwrap_or_default(),
        image.name().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::Limit, provider::ec2::fake};

    #[tokio::test]
    async fn canonical_is_asked_for_by_its_account_in_the_partition() {
        for (region, owner) in [
            ("us-west-2", "099720109477"),
            ("us-gov-west-1", "513442679011"),
        ] {
            let ec2 = fake::client(move |_, form| {
                let asked = form.contains(&format!("Owner.1={owner}&"));
                let image = "<item><imageId>ami-1</imageId><name>ubuntu</name></item>";
                Ok(format!(
                    "<imagesSet>{}</imagesSet>",
                    if asked { image } else { "" }
                ))
            });
            let spec = fake::spec(&[&format!("--region={region}")]);
            let chosen = choose(&ec2, &spec, Deadline::after(Limit::secs(20))).await;
            assert_eq!(chosen.unwrap().id, "ami-1", "{region}");
        }
    }
}

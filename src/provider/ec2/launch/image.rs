//! The image to launch: the newest of Canonical, or the one that is named, with its root device.

use aws_sdk_ec2::{Client, types::Image};

use super::spec::Wish;
use crate::{
    cli::Arch,
    limits::Deadline,
    provider::ec2::{
        errors::{Ec2Error, ask},
        filter,
    },
};

/// The account of Canonical (Ubuntu's "Find images on AWS").
const CANONICAL: &str = "099720109477";

/// An image that can be launched.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Name of the device that the volume's settings are for.
    pub(crate) root_device: String,
}

/// Finds the image, in one request.
pub(crate) async fn choose(
    ec2: &Client,
    wish: &Wish,
    deadline: Deadline,
) -> Result<Chosen, Ec2Error> {
    let request = ec2.describe_images();
    let request = match &wish.ami {
        Some(ami) => request.image_ids(ami),
        None => request
            .owners(CANONICAL)
            .filters(filter(
                "name",
                [format!(
                    "ubuntu/images/hvm-ssd*/ubuntu-*-{}-{}-server-*",
                    wish.ubuntu,
                    wish.arch_name()
                )],
            ))
            .filters(filter(
                "architecture",
                [match wish.arch {
                    Arch::Amd64 => "x86_64",
                    Arch::Arm64 => "arm64",
                }],
            ))
            .filters(filter("state", ["available"])),
    };
    let answer = ask("DescribeImages", &wish.region, deadline, request.send()).await?;
    let newest = answer
        .images
        .unwrap_or_default()
        .into_iter()
        .max_by(|a, b| age(a).cmp(&age(b)));
    match (newest, &wish.ami) {
        (Some(image), _) => Ok(Chosen {
            id: image.image_id.unwrap_or_default(),
            name: image.name.unwrap_or_default(),
            root_device: image
                .root_device_name
                .unwrap_or_else(|| "/dev/sda1".to_owned()),
        }),
        (None, Some(ami)) => Err(Ec2Error::Input {
            input: "ami",
            reason: format!("there is no image {ami} in {}", wish.region),
        }),
        (None, None) => Err(Ec2Error::NoImage {
            release: wish.ubuntu.clone(),
            arch: wish.arch_name(),
            region: wish.region.clone(),
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

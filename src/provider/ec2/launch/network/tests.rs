//! The security group of a job that an earlier attempt made, against an EC2 in memory.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{limits::Limit, provider::ec2::fake, record::Launch};

#[tokio::test]
async fn an_adopted_group_lets_in_this_attempt_alone() {
    let group = "<securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions><item><ipProtocol>tcp</ipProtocol>\
        <fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>203.0.113.7/32</cidrIp></item>\
        <item><cidrIp>198.51.100.1/32</cidrIp></item></ipRanges>\
        <ipv6Ranges><item><cidrIpv6>2001:db8::1/128</cidrIpv6></item></ipv6Ranges></item></ipPermissions></item></securityGroupInfo>";
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let ec2 = fake::client(move |call, form| {
        let cidr = form.split('&').find(|part| part.contains("Cidr"));
        let cidr = cidr
            .and_then(|part| part.split_once('='))
            .map_or("", |(_, cidr)| cidr);
        seen.lock().unwrap().push(format!("{call} {cidr}"));
        match call {
            "CreateSecurityGroup" => Err((400, "InvalidGroup.Duplicate")),
            "DescribeSecurityGroups" => Ok(group.to_owned()),
            _ => Ok("<return>true</return>".to_owned()),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
    let launch = serde_json::from_value::<Launch>(json!({"provider": "ec2"})).unwrap();
    store.update(|record| record.launch = Some(launch)).unwrap();
    let spec = fake::spec(&[]);
    let caller = SshSource {
        from: Cidr::parse("203.0.113.7").unwrap(),
        own: true,
    };
    let deadline = Deadline::after(Limit::secs(20));
    let id = security_group(&ec2, &mut store, &spec, "vpc-1", &caller, &[], deadline).await;
    assert_eq!(id.unwrap(), "sg-1");
    assert_eq!(
        sent.lock().unwrap()[2..],
        [
            "AuthorizeSecurityGroupIngress 203.0.113.7%2F32",
            "RevokeSecurityGroupIngress 198.51.100.1%2F32",
            "RevokeSecurityGroupIngress 2001%3Adb8%3A%3A1%2F128",
        ]
    );
}

#[test]
fn subnets_without_a_public_address_are_named_unless_one_is_asked_for() {
    let subnet = |id: &str, public| Subnet {
        id: id.to_owned(),
        zone: "us-east-1a".to_owned(),
        vpc: "vpc-1".to_owned(),
        public,
    };
    let subnets = [subnet("subnet-a", true), subnet("subnet-b", false)];
    let named = "--subnet-ids=subnet-a,subnet-b";
    let said = |options: &[&str]| without_public_ip(&fake::spec(options), &subnets);
    let warning = said(&[named]).unwrap();
    assert!(
        warning.contains("subnet-b") && !warning.contains("subnet-a"),
        "{warning}"
    );
    assert_eq!(said(&[named, "--public-ip=yes"]), None);
    assert_eq!(said(&[]), None);
}

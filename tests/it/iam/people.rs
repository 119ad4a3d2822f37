//! Who may assume the role, what people may do, and the parts of a fleet.

use manifests_e2e::stages::Stage;
use serde_json::Value;

use super::{
    evaluate::{Request, allows},
    policy, printed,
    sent::{ec2, sent, tagged},
};

#[test]
fn tokens_of_one_repository_alone_open_the_role() {
    let words = [
        "--trust",
        "--account=123456789012",
        "--repository=o/r",
        "--repository-id=2",
        "--owner-id=1",
        "--environment=e2e",
    ];
    let trust = policy(&words);
    // STS has another name in China, and the token is asked for by it.
    let there = policy(&[&words[..], &["--region=cn-north-1"]].concat());
    let claims = &there["Statement"][0]["Condition"]["StringEquals"];
    let audience = &claims["token.actions.githubusercontent.com:aud"];
    assert_eq!(audience, "sts.amazonaws.com.cn");
    assert_eq!(
        trust["Statement"][0]["Principal"]["Federated"],
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    );
    let token = |sub: &str, aud: &str, id: &str| {
        let claim = |name: &str| format!("token.actions.githubusercontent.com:{name}");
        Request::new("sts:AssumeRoleWithWebIdentity", "")
            .with(&claim("sub"), &[sub])
            .with(&claim("aud"), &[aud])
            .with(&claim("repository_id"), &[id])
    };
    for (sub, aud, id, good) in [
        ("repo:o/r:environment:e2e", "sts.amazonaws.com", "2", true),
        (
            "repo:o@1/r@2:environment:e2e",
            "sts.amazonaws.com",
            "2",
            true,
        ),
        // A fork, another repository of the owner, the name taken over by somebody else.
        (
            "repo:fork/r:environment:e2e",
            "sts.amazonaws.com",
            "9",
            false,
        ),
        (
            "repo:o/other:environment:e2e",
            "sts.amazonaws.com",
            "3",
            false,
        ),
        ("repo:o/r:environment:e2e", "sts.amazonaws.com", "3", false),
        (
            "repo:o@8/r@9:environment:e2e",
            "sts.amazonaws.com",
            "9",
            false,
        ),
        // The same repository, from where anybody may run code.
        ("repo:o/r:pull_request", "sts.amazonaws.com", "2", false),
        (
            "repo:o/r:ref:refs/heads/anything",
            "sts.amazonaws.com",
            "2",
            false,
        ),
        (
            "repo:o/r:environment:e2e-2",
            "sts.amazonaws.com",
            "2",
            false,
        ),
        // A token for another service.
        (
            "repo:o/r:environment:e2e",
            "https://github.com/o",
            "2",
            false,
        ),
    ] {
        assert_eq!(
            allows(&trust, &token(sub, aud, id)),
            good,
            "{sub} {aud} {id}"
        );
    }
}

#[test]
fn a_trust_policy_is_for_one_repository_and_one_place_in_it() {
    let known = [
        "--trust",
        "--repository=o/r",
        "--repository-id=2",
        "--owner-id=1",
        "--account=123456789012",
    ];
    let main = printed(&[&known[..], &["--ref=refs/heads/main"]].concat());
    assert!(
        main.expect("it is enough")
            .contains("repo:o@1/r@2:ref:refs/heads/main")
    );
    for (missing, typed) in [
        ("repository", 1),
        ("repository-id", 2),
        ("owner-id", 3),
        ("account", 4),
        ("environment", 5),
    ] {
        let words = &known[..typed];
        let failure = printed(words).expect_err(missing);
        assert!(
            failure.cause.starts_with(&format!("{missing}: ")),
            "{}",
            failure.cause
        );
    }
}

#[test]
fn a_role_may_do_what_its_holder_is_for() {
    let words = [
        "--account=123456789012",
        "--s3-uri=s3://logs/e2e",
        "--eks-cluster=ci",
    ];
    let role = |role| policy(&[&["--role", role][..], &words].concat());
    let (admin, editor, viewer) = (role("admin"), role("editor"), role("viewer"));
    let look = Request::new("ec2:DescribeInstances", "*");
    let read = Request::new("s3:GetObject", "arn:aws:s3:::logs/e2e/a/report.html");
    let list = Request::new("s3:ListBucket", "arn:aws:s3:::logs").with("s3:prefix", &["e2e/a"]);
    let reach = Request::new(
        "eks:DescribeCluster",
        "arn:aws:eks:eu-west-1:123456789012:cluster/ci",
    );
    let end = tagged(
        Request::new("ec2:TerminateInstances", &ec2("instance")),
        "ResourceTag",
    );
    let launch = sent(Stage::ProvisionEc2, "ec2:RunInstances").remove(0);
    let boundary = "arn:aws:iam::123456789012:policy/manifests-e2e/boundary";
    let make = Request::new(
        "iam:CreateRole",
        "arn:aws:iam::123456789012:role/manifests-e2e/ci",
    )
    .with("iam:PermissionsBoundary", &[boundary]);
    for (request, by_admin, by_editor, by_viewer) in [
        (&look, true, true, true),
        (&read, true, true, true),
        (&list, true, true, true),
        (&reach, true, true, true),
        (&end, true, true, false),
        (&launch, true, true, false),
        (&make, true, false, false),
    ] {
        let allowed = [&admin, &editor, &viewer].map(|policy| allows(policy, request));
        assert_eq!(allowed, [by_admin, by_editor, by_viewer], "{request:?}");
    }
    let mut unbounded = make.clone();
    unbounded.context.clear();
    let elsewhere = Request {
        resource: "arn:aws:iam::123456789012:role/Admin".to_owned(),
        ..make
    };
    let other_list =
        Request::new("s3:ListBucket", "arn:aws:s3:::logs").with("s3:prefix", &["payroll"]);
    let other_object = Request::new("s3:GetObject", "arn:aws:s3:::logs/e2e-of-others/x");
    let the_boundary = Request::new("iam:CreatePolicyVersion", boundary);
    for request in [unbounded, elsewhere, other_list, other_object, the_boundary] {
        assert!(!allows(&admin, &request), "{request:?}");
    }
}

#[test]
fn a_group_has_its_namespaces_and_only_the_admin_the_cluster() {
    let kinds = |role: &str| -> Vec<(String, String)> {
        let text = printed(&["--role", role, "--kubernetes", "--namespaces=a,b"])
            .expect("it is a manifest");
        let documents = text
            .split("---\n")
            .map(|one| serde_yaml::from_str::<Value>(one).expect("it is YAML"));
        documents
            .map(|one| {
                assert!(
                    one["subjects"].is_null()
                        || one["subjects"][0]["name"] == format!("manifests-e2e:{role}")
                );
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (
                    text(&one["kind"]),
                    format!(
                        "{}/{}",
                        text(&one["metadata"]["namespace"]),
                        text(&one["roleRef"]["name"])
                    ),
                )
            })
            .collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(kind, to)| ((*kind).to_owned(), (*to).to_owned()))
            .collect()
    };
    assert_eq!(
        kinds("admin"),
        pairs(&[("ClusterRoleBinding", "/cluster-admin")])
    );
    for (role, built_in) in [("editor", "edit"), ("viewer", "view")] {
        let own = format!("manifests-e2e-{role}-workflows");
        let expected = pairs(&[
            ("ClusterRole", "/"),
            ("RoleBinding", &format!("a/{built_in}")),
            ("RoleBinding", &format!("a/{own}")),
            ("RoleBinding", &format!("b/{built_in}")),
            ("RoleBinding", &format!("b/{own}")),
        ]);
        assert_eq!(kinds(role), expected);
    }
}

#[test]
fn a_component_has_what_it_needs_and_says_what_it_is_for() {
    let scope = [
        "--s3-uri=s3://logs/e2e",
        "--eks-cluster=ci",
        "--ecr-repository=test/*",
        "--region=eu-west-1",
        "--account=123456789012",
    ];
    let may = |component: &str, call: &str, resource: &str| {
        let words = [&["--component", component][..], &scope].concat();
        allows(&policy(&words), &Request::new(call, resource))
    };
    let (object, other) = ("arn:aws:s3:::logs/e2e/x", "arn:aws:s3:::logs/x");
    let cluster = "arn:aws:eks:eu-west-1:123456789012:cluster/ci";
    let image = "arn:aws:ecr:eu-west-1:123456789012:repository/test/a";
    assert!(may("prow", "s3:PutObject", object) && !may("prow", "s3:PutObject", other));
    assert!(!may("prow", "s3:GetObject", object) && may("argo", "s3:GetObject", object));
    assert!(
        may("prow-job", "eks:DescribeCluster", cluster)
            && may("test-steps", "eks:DescribeCluster", cluster)
    );
    assert!(!may(
        "prow-job",
        "eks:DescribeCluster",
        &cluster.replace("/ci", "/cd")
    ));
    assert!(
        may("kaniko", "ecr:PutImage", image) && may("kaniko", "ecr:GetAuthorizationToken", "*")
    );
    assert!(!may(
        "kaniko",
        "ecr:PutImage",
        &image.replace("test/", "release/")
    ));
    assert!(!may("kaniko", "ecr:CreateRepository", image));
    assert_eq!(printed(&["--component=cd"]).expect("it is known"), "");
    for component in [
        "prow",
        "argo",
        "prow-job",
        "test-steps",
        "kaniko",
        "history",
    ] {
        let failure = printed(&["--component", component]).expect_err(component);
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.starts_with("name it by --")),
            "{component}"
        );
    }
    let table = printed(&["--components"]).expect("it is a table");
    for component in [
        "prow",
        "prow-job",
        "argo",
        "kaniko",
        "create-cluster",
        "test-steps",
        "cd",
        "history",
    ] {
        assert!(table.contains(&format!("| `{component}` |")), "{component}");
    }
}

//! An EC2 in memory, for tests: what is answered to each call, by its name and form.

use aws_sdk_ec2::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region,
        http::{HttpRequest, HttpResponse},
    },
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use clap::Parser as _;

use super::launch::LaunchSpec;
use crate::{
    cli::{Cli, Command},
    inputs::Environment,
};

/// The inside of an answer, or status and code of a refusal.
pub(crate) type Answer = Result<String, (u16, &'static str)>;

struct Fake<F>(F);

impl<F> std::fmt::Debug for Fake<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an EC2 in memory")
    }
}

impl<F> HttpConnector for Fake<F>
where
    F: Fn(&str, &str) -> Answer + Send + Sync + 'static,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let call = form.split(['=', '&']).nth(1).unwrap_or_default();
        let (status, text) = match (self.0)(call, &form) {
            Ok(answer) => (200, format!("<{call}Response>{answer}</{call}Response>")),
            Err((status, code)) => (
                status,
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>set by a test</Message></Error></Errors></Response>"
                ),
            ),
        };
        let status = status.try_into().expect("a status of HTTP");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, text.into())))
    }
}

/// EC2 that answers so.
pub(crate) fn client(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Client {
    let connector = SharedHttpConnector::new(Fake(answer));
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    Client::from_conf(config)
}

/// What `provision-ec2` launches with these options.
pub(crate) fn spec(options: &[&str]) -> LaunchSpec {
    let words = ["manifests-e2e", "provision-ec2"].iter().chain(options);
    let Command::ProvisionEc2(staged) = Cli::try_parse_from(words).unwrap().command else {
        unreachable!("that is what was typed")
    };
    LaunchSpec::of(&staged.args.args, &Environment::default()).unwrap()
}

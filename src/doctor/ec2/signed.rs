//! One signed question to a service of AWS whose SDK would be large for it.

use std::time::{Duration, SystemTime};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

use crate::{http_client, inputs::Environment, limits::Deadline, provider::ec2::access::Ec2Api};

/// Limit for the answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// A question, by POST.
pub(super) struct Question<'a> {
    /// Where it is asked, unless a variable says otherwise.
    pub(super) endpoint: &'a str,
    /// The variable that says so for this service; `AWS_ENDPOINT_URL` says it for all.
    pub(super) variable: &'static str,
    /// As the service is signed for.
    pub(super) service: &'static str,
    pub(super) region: &'a str,
    pub(super) headers: &'a [(&'static str, &'static str)],
    pub(super) body: String,
}

impl Question<'_> {
    /// Status and text of the answer, else why there is none.
    pub(super) async fn ask(
        &self,
        api: &Ec2Api,
        env: &Environment,
        deadline: Deadline,
    ) -> Result<(u16, String), String> {
        let deadline = deadline.within(ANSWER_LIMIT);
        let asked = deadline.bound(Box::pin(self.send(api, env))).await;
        asked.unwrap_or_else(|passed| Err(passed.to_string()))
    }

    async fn send(&self, api: &Ec2Api, env: &Environment) -> Result<(u16, String), String> {
        let endpoint = [self.variable, "AWS_ENDPOINT_URL"]
            .iter()
            .find_map(|name| env.get(name));
        let identity = api
            .credentials()
            .await
            .ok_or("there are no credentials")?
            .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let client = http_client::client().map_err(|error| error.to_string())?;
        let mut request = client.post(endpoint.unwrap_or(self.endpoint));
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(self.body.clone()).build();
        let mut request = request.map_err(|error| error.to_string())?;
        let url = request.url().to_string();
        let headers = self.headers.iter().copied();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable =
            SignableRequest::new("POST", &url, headers, body).map_err(|error| error.to_string())?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| error.to_string())?
            .into_parts();
        for (name, value) in instructions.headers() {
            let no_header = || "the signature is no header".to_owned();
            let value = value.parse().map_err(|_| no_header())?;
            let name: http::HeaderName = name.parse().map_err(|_| no_header())?;
            request.headers_mut().insert(name, value);
        }
        let answer = client
            .execute(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        Ok((status, text))
    }
}

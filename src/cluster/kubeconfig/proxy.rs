//! The proxy between here and an API server.
//!
//! As `kubectl` has it: the kubeconfig's `proxy-url`, else `HTTPS_PROXY` unless `NO_PROXY` names the server. A server on
//! this machine, such as the end of our tunnel, never has one.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::Kubeconfig;

use crate::inputs::Environment;

/// What the cluster of a context names as its proxy.
pub(super) fn of_kubeconfig(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let mut contexts = kubeconfig.contexts.iter();
    let named = contexts.find(|it| it.name == context)?.context.as_ref()?;
    let mut clusters = kubeconfig.clusters.iter();
    let cluster = clusters.find(|it| it.name == named.cluster)?;
    let url = cluster.cluster.as_ref()?.proxy_url.clone();
    url.filter(|url| !url.is_empty())
}

/// The environment's proxy for a server; none where it is not meant for that server, or is no URL.
pub(super) fn of_environment(server: &Uri, env: &Environment) -> Option<Uri> {
    let (_, proxy) = env.https_proxy()?;
    if server.host().is_some_and(is_this_machine) {
        return None;
    }
    let no_proxy = env.get("NO_PROXY").or_else(|| env.get("no_proxy"));
    let matcher = Matcher::builder()
        .https(proxy)
        .no(no_proxy.unwrap_or_default())
        .build();
    matcher.intercept(server)?;
    // With the name and password that it may hold, which the match has taken out.
    let url = if proxy.contains("://") {
        proxy.to_owned()
    } else {
        format!("http://{proxy}")
    };
    url.parse().ok()
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_through_the_proxy_that_is_meant_for_it() {
        let through = |server: &str, env: &[(&str, &str)]| {
            let env = Environment::of(env.iter().copied());
            let url = of_environment(&server.parse().unwrap(), &env)?;
            Some(url.to_string())
        };
        let proxy = ("HTTPS_PROXY", "http://u:p@proxy.example:3128");
        let server = "https://api.example:6443";
        let expected = Some("http://u:p@proxy.example:3128/".to_owned());
        assert_eq!(through(server, &[proxy]), expected);
        let lower = ("https_proxy", "proxy.example:3128");
        let plain = Some("http://proxy.example:3128/".to_owned());
        assert_eq!(through(server, &[lower]), plain);
        assert_eq!(through(server, &[]), None);
        assert_eq!(through(server, &[("HTTP_PROXY", proxy.1)]), None);
        for all in ["api.example", ".example", "*"] {
            assert_eq!(through(server, &[proxy, ("NO_PROXY", all)]), None, "{all}");
        }
        assert_eq!(through(server, &[proxy, ("NO_PROXY", "other")]), expected);
        for here in ["127.0.0.1:34567", "localhost:6443", "[::1]:6443"] {
            assert_eq!(
                through(&format!("https://{here}"), &[proxy]),
                None,
                "{here}"
            );
        }
    }

    #[test]
    fn a_kubeconfig_may_name_a_proxy_of_its_own() {
        let text = "
contexts: [{name: a, context: {cluster: b, user: u}}, {name: c, context: {cluster: d, user: u}}]
clusters: [{name: b, cluster: {server: 'https://x', proxy-url: 'http://p:1'}}, {name: d, cluster: {server: 'https://y'}}]";
        let kubeconfig: Kubeconfig = serde_yaml::from_str(text).unwrap();
        let of = |context| of_kubeconfig(&kubeconfig, context);
        assert_eq!(of("a").as_deref(), Some("http://p:1"));
        assert_eq!((of("c"), of("nowhere")), (None, None));
    }
}

//! The check of another service over HTTP.

use super::check::{CheckResult, HealthCheck};
use super::report::millis;
use crate::error::{Error, Result};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::Uri;

/// A service that this one depends on is asked with GET: healthy if it answers with a status from 200 to 299, degraded with any other,
/// unhealthy if it does not answer in time. Redirects are not followed, and nothing of the answer's body is read. Proxies of the
/// environment are not used.
///
/// # Examples
/// ```
/// use bettong_exporter::health::{HealthMonitor, HttpDependencyCheck};
/// use std::time::Duration;
///
/// # fn main() -> bettong_exporter::Result<()> {
/// let url = "http://127.0.0.1:9/health";
/// let check = HttpDependencyCheck::new("billing", url, Duration::from_secs(2), true)?;
/// let monitor = HealthMonitor::new().register(check);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HttpDependencyCheck {
    name: String,
    url: Uri,
    critical: bool,
    agent: Agent,
}

impl HttpDependencyCheck {
    /// The check called `name` of the service at `url`, which answers within `timeout`. That should be less than the monitor's
    /// ([`HealthMonitor::timeout`](super::HealthMonitor::timeout)): then it is this check that says what is the matter.
    ///
    /// # Errors
    /// [`Error::Url`] if `url` is not an absolute one of `http` or `https`.
    pub fn new(name: impl Into<String>, url: &str, timeout: Duration, critical: bool) -> Result<Self> {
        let (name, parsed) = (name.into(), url.parse::<Uri>());
        let is_http = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
        let Some(url) = parsed.ok().filter(is_http) else { return Err(Error::Url { check: name }) };
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(concat!("bettong/", env!("CARGO_PKG_VERSION")));
        Ok(Self { name, url, critical, agent: config.build().into() })
    }
}

impl HealthCheck for HttpDependencyCheck {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_critical(&self) -> bool {
        self.critical
    }

    fn check(&self) -> CheckResult {
        let began = Instant::now();
        let answer = self.agent.get(&self.url).call();
        let found = match answer {
            Ok(answer) if answer.status().is_success() => {
                CheckResult::healthy("Service is responding").detail("status_code", answer.status().as_u16())
            }
            Ok(answer) => {
                let status = answer.status().as_u16();
                CheckResult::degraded(format!("Service returned status {status}"))
                    .detail("status_code", status)
            }
            Err(error) => CheckResult::unhealthy(format!("Service unreachable: {error}")),
        };
        found.detail("response_time_ms", millis(began.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthStatus;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    /// A service that answers once, and says what it was asked.
    fn service(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health?deep=1", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        (url, asked)
    }

    fn check(url: &str, timeout: Duration) -> CheckResult {
        HttpDependencyCheck::new("billing", url, timeout, true).unwrap().check()
    }

    /// K4, K38, B58.
    #[test]
    fn a_service_is_as_well_as_its_answer() {
        for (answer, status, code) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", HealthStatus::Healthy, 200),
            ("HTTP/1.1 204 No Content\r\n\r\n", HealthStatus::Healthy, 204),
            ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", HealthStatus::Degraded, 503),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                HealthStatus::Degraded,
                302,
            ),
        ] {
            let (url, asked) = service(answer);
            let found = check(&url, Duration::from_secs(30));
            assert_eq!(
                (found.status, found.details["status_code"].as_u64()),
                (status, Some(code)),
                "{found:?}"
            );
            assert!(found.details["response_time_ms"].is_number());
            assert!(asked.join().unwrap().starts_with("GET /health?deep=1 HTTP/1.1\r\n"));
        }
    }

    #[test]
    fn a_service_that_does_not_answer_in_time_or_at_all_is_unhealthy() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let late = check(&url, Duration::from_millis(50));
        assert_eq!(late.status, HealthStatus::Unhealthy, "{late:?}");
        drop(listener);
        let gone = check(&url, Duration::from_secs(30));
        assert!(gone.message.starts_with("Service unreachable: "), "{gone:?}");
    }

    #[test]
    fn an_address_that_is_none_is_an_error_that_does_not_show_it() {
        for url in ["", "billing", "/health", "ftp://billing/", "http://user:word@", "http://"] {
            let error = HttpDependencyCheck::new("billing", url, Duration::from_secs(1), true).unwrap_err();
            assert!(error.to_string().contains("billing") && !error.to_string().contains("word"), "{error}");
        }
    }
}

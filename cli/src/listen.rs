//! Where the metrics of a database that the tool has open are served.

use bettong_exporter::{Error, Exporter, Server};

use crate::fault::Result;
use crate::out::Out;

/// Where metrics are served if nobody says: the port next to that of other exporters.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:9464";
/// Where they are served if that is taken.
const ANY_PORT: &str = "127.0.0.1:0";

/// Serves the metrics on `address`, or on the default one, or next to it if that is taken.
pub(crate) fn start(exporter: &Exporter, address: Option<&str>, out: &mut Out) -> Result<Server> {
    if let Some(address) = address {
        return Ok(exporter.clone().listen(address)?);
    }
    match exporter.clone().listen(DEFAULT_ADDRESS) {
        Err(Error::Bind { .. }) => {
            out.note(format_args!("{DEFAULT_ADDRESS} is taken: another port is used"));
            Ok(exporter.clone().listen(ANY_PORT)?)
        }
        started => Ok(started?),
    }
}

/// The addresses to look at.
pub(crate) fn urls(server: &Server) -> [String; 4] {
    ["/dashboard", "/metrics", "/metrics.json", "/livez"]
        .map(|path| format!("http://{}{path}", server.local_addr()))
}

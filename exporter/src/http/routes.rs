//! What is answered: `docs/exporter.md` lists the paths, with an example of each answer.
//!
//! The routes are fixed, matched exactly, and only read: GET and HEAD, else 405. No path reaches the file system. A
//! request with a body is refused (400), since none of these takes one and what is not read cannot be smuggled. Every
//! answer carries the headers that keep a browser from doing anything with it, and none that lets another site read it.
//! Errors are JSON: `{"error":"…"}`, with `"parameter"` where one is wrong.

use super::about;
use super::access::Verdict;
use super::answer::{self, Document, JSON, PLAIN_TEXT, Shared};
use super::app::{App, Settings};
use super::dashboard;
use super::health::{self, Brief};
use super::live::Live;
use super::negotiate::{self, Format};
use super::query::{BadParameter, Query};
use super::service::Endless;
use super::stats::Endpoint;
use super::stream::Stream;
use crate::formats::api::{self, HdrQuery};
use crate::formats::{json, openmetrics, text};
use crate::history::ROWS;
use crate::process::Process;
use crate::sources::Sources;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use bettong_metrics::{MetricsSnapshot, Registry};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const INDEX: &str = "\
Bettong metrics

/metrics                  Prometheus text, OpenMetrics or protobuf, by Accept
/api/v1/metrics           the same
/metrics.json             JSON snapshot
/schema/metrics.json      its JSON Schema
/health /api/v1/health    what the health checks found
/livez /readyz            whether the server runs; whether the databases are open
/dashboard                all of it to look at, in a browser
/events                   what changes, every second (server-sent events)
/api/v1/performance       rates and latencies: ?window=1 measures for a second
/api/v1/levels            the levels of the tree
/api/v1/values            the value log
/api/v1/events            what happened: ?since=0&limit=100
/api/v1/slow              slow operations: ?limit=32
/api/v1/errors            what went wrong: ?limit=32
/api/v1/readers           iterators and snapshots held: ?limit=32
/api/v1/hdr               one histogram: ?metric=db_get_latency_seconds
/api/v1/history           the last 15 minutes, a row a second: ?seconds=900
/api/v1/live              the last second, every second (server-sent events)
/api/v1/config            options in force
/api/v1/info              what runs here, and how many series it has

Paths below /api/v1, but for metrics, take ?db=NAME.
";

/// The most elements of a list that can be asked for.
const LIMIT_MAX: u64 = 2_048;
/// How many are shown unless it is said.
const LIMIT: u64 = 32;
/// The longest time that a request may measure for, in seconds.
const WINDOW_MAX: u64 = 5;

type Parameters<'a> = (&'a mut Query, &'a [Arc<Registry>]);

/// All routes, for the server of somebody else.
pub(crate) fn router(settings: Settings) -> Router {
    router_of(Arc::new(App::new(settings)))
}

/// All routes, and what is to begin when they are served, if anything: a page opened later wants to know what was before.
pub(crate) fn served(settings: Settings) -> (Router, Option<Arc<Live>>) {
    let app = Arc::new(App::new(settings));
    let live = app.settings.json.then(|| Arc::clone(&app.live));
    (router_of(app), live)
}

fn router_of(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/api/v1/performance", get(performance))
        .route("/api/v1/levels", get(levels))
        .route("/api/v1/values", get(values))
        .route("/api/v1/events", get(events))
        .route("/api/v1/slow", get(slow))
        .route("/api/v1/errors", get(errors))
        .route("/api/v1/readers", get(readers))
        .route("/api/v1/hdr", get(hdr))
        .route("/api/v1/history", get(history))
        .route("/api/v1/live", get(live))
        .route("/api/v1/config", get(config))
        .route("/api/v1/info", get(info));
    let api = api
        .route("/metrics.json", get(metrics_json))
        .route("/schema/metrics.json", get(schema))
        .route("/events", get(stream))
        .merge(dashboard::routes());
    let mut router = Router::new();
    if let Some(path) = &app.settings.path {
        router = router.route(path, get(metrics)).route("/api/v1/metrics", get(metrics));
    }
    if app.settings.json {
        router = router.merge(api);
    }
    router
        .route("/health", get(health))
        .route("/api/v1/health", get(health))
        .route("/livez", get(|| async { answer::plain(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(ready))
        .route("/", get(index))
        .fallback(|| async { answer::error(StatusCode::NOT_FOUND, "no such path: / lists them") })
        .method_not_allowed_fallback(|| async {
            answer::error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD")
        })
        .with_state(Arc::clone(&app))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), authenticate))
        .layer(middleware::from_fn(refuse))
        .layer(middleware::map_response(|response| async { answer::secured(response) }))
        .layer(middleware::from_fn_with_state(app, count))
}

/// The list of paths, with that of the metrics where it is.
async fn index(State(app): State<Arc<App>>) -> Response {
    let path = app.settings.path.as_deref().unwrap_or("/metrics");
    let text = INDEX.replacen("/metrics  ", &format!("{path}  "), 1);
    answer::with_type(StatusCode::OK, PLAIN_TEXT, Body::from(text))
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = answer::list(&headers, &ACCEPT);
    let native = cfg!(feature = "protobuf") && app.settings.native_histograms;
    let format = negotiate::format(&accept, native);
    let Some(permit) = app.scrape() else { return too_many() };
    answer::sent(of_all(&app, format, &headers), Some(permit))
}

/// A document about all databases.
fn of_all(app: &App, format: Format, headers: &HeaderMap) -> Document {
    let takes_gzip = answer::takes_gzip(headers);
    app.kept.or_make(format, takes_gzip, || {
        let (content_type, bytes) = render(app, format);
        Document::new(content_type, bytes, takes_gzip)
    })
}

fn render(app: &App, format: Format) -> (&'static str, Bytes) {
    let snapshots = app.all_snapshots();
    let sources = &app.settings.sources;
    let shared = |text| Bytes::from_owner(Shared(text));
    match format {
        Format::Text => (text::CONTENT_TYPE, shared(sources.text(&snapshots, &app.own()))),
        Format::OpenMetrics => {
            (openmetrics::CONTENT_TYPE, shared(sources.open_metrics(&snapshots, &app.own())))
        }
        Format::OpenMetrics001 => {
            (openmetrics::CONTENT_TYPE_0_0_1, shared(sources.open_metrics(&snapshots, &app.own())))
        }
        Format::Protobuf => protobuf(app, &snapshots),
        Format::Json => (json::CONTENT_TYPE, Bytes::from(Sources::json(&snapshots, &app.health()))),
    }
}

#[cfg(feature = "protobuf")]
fn protobuf(app: &App, snapshots: &[MetricsSnapshot]) -> (&'static str, Bytes) {
    use crate::formats::protobuf;
    (protobuf::CONTENT_TYPE, Bytes::from(app.settings.sources.protobuf(snapshots, &app.own())))
}

/// It is not offered without the feature; who gets here all the same gets what everybody can read.
#[cfg(not(feature = "protobuf"))]
fn protobuf(app: &App, snapshots: &[MetricsSnapshot]) -> (&'static str, Bytes) {
    (text::CONTENT_TYPE, Bytes::from_owner(Shared(app.settings.sources.text(snapshots, &app.own()))))
}

async fn metrics_json(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(permit) = app.scrape() else { return too_many() };
    answer::sent(of_all(&app, Format::Json, &headers), Some(permit))
}

async fn schema(headers: HeaderMap) -> Response {
    answer::document(&headers, json::SCHEMA_CONTENT_TYPE, Bytes::from_static(json::SCHEMA.as_bytes()), None)
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.settings.sources.registries().iter().all(about::is_ready) {
        answer::plain(StatusCode::OK, "ready\n")
    } else {
        answer::plain(StatusCode::SERVICE_UNAVAILABLE, "waiting\n")
    }
}

async fn health(
    State(app): State<Arc<App>>,
    brief: Option<Extension<Brief>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let report = app.settings.health.report();
    if brief.is_some() {
        return health::brief(report.status());
    }
    match parameters(&app, &uri, |_| Ok(())) {
        Ok(((), chosen)) if chosen.len() < app.settings.sources.registries().len() => {
            let name = chosen.first().map_or("", |registry| registry.name());
            health::full(&report.of_database(name), &headers)
        }
        Ok(_) => health::full(&report, &headers),
        Err(bad) => answer::bad_parameter(&bad),
    }
}

async fn stream(State(app): State<Arc<App>>) -> Response {
    let Some(permit) = app.linger() else { return answer::busy("too many streams are open") };
    let body = Body::new(Stream::of_deltas(app, permit));
    let mut response = answer::with_type(StatusCode::OK, "text/event-stream; charset=utf-8", body);
    response.extensions_mut().insert(Endless);
    response
}

async fn live(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let registries = match parameters(&app, &uri, |_| Ok(())) {
        Ok(((), registries)) => registries,
        Err(bad) => return answer::bad_parameter(&bad),
    };
    let Some(permit) = app.linger() else { return answer::busy("too many streams are open") };
    app.live.begin();
    let body = Body::new(Stream::of_books(&app.live, app.live.of(&registries), permit));
    let mut response = answer::with_type(StatusCode::OK, "text/event-stream; charset=utf-8", body);
    response.extensions_mut().insert(Endless);
    response
}

async fn history(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(permit) = app.scrape() else { return too_many() };
    let asked = parameters(&app, &uri, |(query, _)| query.take_number("seconds", 1..=ROWS as u64));
    let (seconds, registries) = match asked {
        Ok((seconds, registries)) => (seconds.map_or(ROWS, |seconds| seconds as usize), registries),
        Err(bad) => return answer::bad_parameter(&bad),
    };
    app.live.begin();
    let answers: Vec<_> = app.live.of(&registries).iter().map(|book| book.document(seconds)).collect();
    let text = match answers.as_slice() {
        [one] => format!("{one}\n"),
        _ => format!("{{\"databases\":[{}]}}\n", answers.join(",")),
    };
    answer::document(&headers, JSON, Bytes::from(text), Some(permit))
}

async fn performance(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = parameters(&app, &uri, |(query, _)| query.take_number("window", 0..=WINDOW_MAX));
    let (window, registries) = match asked {
        Ok((window, registries)) => (window.unwrap_or(0), registries),
        Err(bad) => return answer::bad_parameter(&bad),
    };
    // Who measures for seconds must not keep scrapes waiting.
    let permit = if window > 0 { app.linger() } else { app.scrape() };
    let Some(permit) = permit else { return too_many() };
    let mut snapshots = app.snapshots(&registries);
    let mut before = None;
    if window > 0 {
        before = Some((Process::shown(), Instant::now()));
        tokio::time::sleep(Duration::from_secs(window)).await;
        let now = app.snapshots(&registries);
        snapshots = now.iter().zip(&snapshots).map(|(now, before)| now.since(before)).collect();
    }
    let process = Process::shown();
    let before = before.as_ref().map(|(process, at)| (process, at.elapsed().as_secs_f64()));
    let answer = |snapshot| {
        let mut answer = api::performance(snapshot);
        if let Value::Object(members) = &mut answer {
            members.insert("system_metrics".to_owned(), about::system(snapshot, &process, before));
        }
        answer
    };
    let answers = snapshots.iter().map(answer).collect();
    answer::document(&headers, JSON, of_databases(answers), Some(permit))
}

async fn levels(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    view(&app, &uri, &headers, |_| Ok(()), |(), _, snapshot| Ok(api::levels(snapshot)))
}

async fn values(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    view(&app, &uri, &headers, |_| Ok(()), |(), _, snapshot| Ok(api::values(snapshot)))
}

async fn errors(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    view(&app, &uri, &headers, limit, |limit, _, snapshot| Ok(api::errors(snapshot, *limit)))
}

async fn readers(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    view(&app, &uri, &headers, limit, |limit, _, snapshot| Ok(api::readers(snapshot, *limit)))
}

async fn slow(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    view(&app, &uri, &headers, limit, |limit, registry, snapshot| {
        Ok(api::slow(snapshot, registry.slow_threshold(), *limit))
    })
}

async fn events(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    let read = |query: &mut Query| Ok((query.take_number("since", 0..=u64::MAX)?, limit(query)?));
    view(&app, &uri, &headers, read, |(since, limit), registry, _| {
        Ok(api::events(registry.name(), &registry.events_since(since.unwrap_or(0)), *limit))
    })
}

async fn config(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    whole(&app, &uri, &headers, about::config)
}

async fn info(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    whole(&app, &uri, &headers, about::info)
}

/// The one path whose other parameters are data: the labels of the histogram.
async fn hdr(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(permit) = app.scrape() else { return too_many() };
    let asked = Query::parse(uri.query()).and_then(|mut query| {
        let metric = query.take("metric").ok_or_else(|| BadParameter::new("metric", "is missing"))?;
        let format = query.take("format").unwrap_or_else(|| "json".to_owned());
        if !["json", "hgrm"].contains(&format.as_str()) {
            return Err(BadParameter::new("format", "must be json or hgrm"));
        }
        let registries = app.chosen(&mut query)?;
        let asked = HdrQuery { metric, labels: query.rest() };
        let snapshots = app.snapshots(&registries);
        let found = snapshots.iter().map(|snapshot| api::hdr(snapshot, &asked));
        let found: Result<Vec<_>, _> = found.collect();
        Ok((format, found.map_err(|error| BadParameter::new(&error.parameter, error.message))?))
    });
    match asked {
        Err(bad) => answer::bad_parameter(&bad),
        Ok((format, answers)) if format == "hgrm" => {
            let texts: String = answers.iter().filter_map(|answer| answer["hgrm"].as_str()).collect();
            answer::document(&headers, PLAIN_TEXT, Bytes::from(texts), Some(permit))
        }
        Ok((_, answers)) => answer::document(&headers, JSON, of_databases(answers), Some(permit)),
    }
}

fn limit(query: &mut Query) -> Result<usize, BadParameter> {
    Ok(query.take_number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT) as usize)
}

/// Reads the parameters that a path has, `db` among them, and makes sure that there are no others.
fn parameters<T>(
    app: &App,
    uri: &Uri,
    read: impl FnOnce(Parameters<'_>) -> Result<T, BadParameter>,
) -> Result<(T, Vec<Arc<Registry>>), BadParameter> {
    let mut query = Query::parse(uri.query())?;
    let registries = app.chosen(&mut query)?;
    let read = read((&mut query, &registries))?;
    query.finish()?;
    Ok((read, registries))
}

/// A view of each database that is asked for.
fn view<T>(
    app: &App,
    uri: &Uri,
    headers: &HeaderMap,
    read: impl FnOnce(&mut Query) -> Result<T, BadParameter>,
    show: impl Fn(&T, &Registry, &MetricsSnapshot) -> Result<Value, BadParameter>,
) -> Response {
    let Some(permit) = app.scrape() else { return too_many() };
    let answers = parameters(app, uri, |(query, _)| read(query)).and_then(|(read, registries)| {
        let snapshots = app.snapshots(&registries);
        let pairs = registries.iter().zip(&snapshots);
        pairs.map(|(registry, snapshot)| show(&read, registry, snapshot)).collect::<Result<Vec<_>, _>>()
    });
    match answers {
        Ok(answers) => answer::document(headers, JSON, of_databases(answers), Some(permit)),
        Err(bad) => answer::bad_parameter(&bad),
    }
}

/// One answer about all databases that are asked for.
fn whole(app: &App, uri: &Uri, headers: &HeaderMap, show: fn(&App, &[Arc<Registry>]) -> Value) -> Response {
    match parameters(app, uri, |_| Ok(())) {
        Ok(((), registries)) => {
            let text = format!("{}\n", show(app, &registries));
            answer::document(headers, JSON, Bytes::from(text), None)
        }
        Err(bad) => answer::bad_parameter(&bad),
    }
}

/// One database's answer as it is, those of several as a list.
fn of_databases(mut answers: Vec<Value>) -> Bytes {
    let answer = match answers.pop() {
        Some(only) if answers.is_empty() => only,
        last => {
            answers.extend(last);
            json!({"databases": answers})
        }
    };
    Bytes::from(format!("{answer}\n"))
}

fn too_many() -> Response {
    answer::busy("too many requests are being answered")
}

/// Counts the request and what came of it.
async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_metrics = app.settings.path.as_deref() == Some(path);
    let endpoint = if is_metrics { Endpoint::Metrics } else { Endpoint::of(path) };
    let counted = app.settings.stats.begin(endpoint);
    let response = next.run(request).await;
    counted.answered(response.status().as_u16(), answer::size(&response));
    response
}

/// Paths that tell nobody anything but one word, for those that cannot bring a token.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// Lets those in that bring what is needed, if anything is (E11). Who brings nothing, something wrong or something else is told
/// the same.
async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let access = &app.settings.access;
    let path = request.uri().path();
    // Where a token is needed, the page is what asks for it.
    let is_open =
        access.is_open() || OPEN.contains(&path) || (access.token.is_some() && dashboard::has(path));
    if is_open {
        return next.run(request).await;
    }
    let mut brought = request.headers().get_all(AUTHORIZATION).iter();
    let verdict = match (brought.next(), brought.next()) {
        (Some(only), None) => access.judge(only.as_bytes()).await,
        _ => Verdict::Denied,
    };
    match verdict {
        Verdict::Admitted => next.run(request).await,
        _ if request.uri().path() == health::OPEN => {
            request.extensions_mut().insert(Brief);
            next.run(request).await
        }
        Verdict::Busy => answer::busy("too many passwords are being checked"),
        Verdict::Denied => {
            let mut refusal = answer::error(StatusCode::UNAUTHORIZED, "authentication is needed");
            for challenge in access.challenges() {
                refusal.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
            refusal
        }
    }
}

/// Refuses what no client of these paths sends: bodies, and requests that another site made a browser send (E3).
async fn refuse(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let lengths = headers.get_all(CONTENT_LENGTH);
    if headers.contains_key(TRANSFER_ENCODING) || lengths.iter().any(|length| length != "0") {
        let mut refusal = answer::error(StatusCode::BAD_REQUEST, "a request has no body here");
        refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return refusal;
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return answer::error(StatusCode::FORBIDDEN, "requests from other sites are refused");
    }
    next.run(request).await
}

#[cfg(test)]
mod tests;

//! From a request to its resource, and from what the resource returns to the response.
//!
//! This is the tree walk and the rendering that `sennit.web.resource` describes in Python. Where a resource has the
//! stock `getChildWithDefault` or `render`, their work is done here without calling them; everything a program can
//! override is looked up on the object at each request, so overriding works in every way that Python allows.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyString};

use crate::answer::Answer;
use crate::asgi::ASGIApplication;
use crate::batch::Batch;
use crate::conn::Conn;
use crate::errors;
use crate::file_body::FileBody;
use crate::kept_file::{self, FileAnswer, Look, Place};
use crate::kinds::{call_with, is_coroutine, is_iterator};
use crate::request::{output, whole, Request, Standing, Walk, Wish};
use crate::resources::{BodyWish, Known, Renderer};
use crate::service::Service;
use crate::task;
use crate::upstream;
use crate::wsgi::Gateway;

/// The value of `NOT_DONE_YET`.
pub const NOT_DONE_YET: i64 = 1;

/// What traversal comes to.
pub enum Found<'py> {
    /// The resource to be rendered, and where its answer belongs if it is that of a file.
    Resource(Bound<'py, PyAny>, Option<Place<'py>>),
    /// A file's answer, which was kept.
    File(Py<Answer>),
    /// An awaitable of a child: traversal goes on when that is there.
    Pending(Bound<'py, PyAny>),
}

/// Give a request to the program.
pub fn process(conn: &Arc<Conn>, request: &Bound<'_, Request>, batch: &mut Batch) {
    if conn.service.get().custom_process {
        if let Err(error) = request.call_method0(intern!(request.py(), "process")) {
            failed(request, error, None);
        }
    } else {
        process_stock(conn, request, batch);
    }
}

/// Find the resource and render it.
pub fn process_stock(conn: &Arc<Conn>, request: &Bound<'_, Request>, batch: &mut Batch) {
    let found = match find(conn, request) {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => return failed(request, error, None),
    };
    match found {
        Found::Resource(resource, place) => render_found(conn, request, &resource, place, batch),
        Found::File(answer) => {
            let answer = answer.bind(request.py()).as_any();
            if let Err(error) = try_respond(conn, request, answer, None) {
                failed(request, error, None);
            }
        }
        Found::Pending(awaitable) => {
            let started = request
                .call_method1(intern!(request.py(), "_traverse_async"), (awaitable,))
                .and_then(|coroutine| task::start_traversal(request, &coroutine));
            if let Err(error) = started {
                failed(request, error, None);
            }
        }
    }
}

fn find<'py>(conn: &Arc<Conn>, request: &Bound<'py, Request>) -> PyResult<Option<Found<'py>>> {
    let py = request.py();
    if request.get().is_asterisk(py) {
        request.call_method0(intern!(py, "_process_asterisk"))?;
        return Ok(None);
    }
    let service = conn.service.get();
    let site = service.site(py);
    if service.custom_traversal {
        let found = site.call_method1(intern!(py, "getResourceFor"), (request,))?;
        let pending = is_pending(service, &found)?;
        return Ok(Some(if pending {
            Found::Pending(found)
        } else {
            Found::Resource(found, None)
        }));
    }
    walk(service, request, service.root(py)?, true).map(Some)
}

/// Walk from `resource` as far as the path goes, or to a leaf: to the resource, or an awaitable of one.
pub fn traverse<'py>(
    service: &Service,
    request: &Bound<'py, Request>,
    resource: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match walk(service, request, resource, false)? {
        Found::Resource(found, _) | Found::Pending(found) => found,
        Found::File(answer) => answer.into_bound(request.py()).into_any(),
    })
}

/// Walk as far as the path goes, or to a leaf; `keeps`: or to a file's answer that was kept.
fn walk<'py>(
    service: &Service,
    request: &Bound<'py, Request>,
    resource: Bound<'py, PyAny>,
    keeps: bool,
) -> PyResult<Found<'py>> {
    let py = request.py();
    let mut current = resource;
    let mut place = None;
    let mut walk = request.get().walk(py);
    loop {
        let over = match &walk {
            Some(walk) => walk.is_over(),
            None => request
                .get()
                .path_lists(py)
                .is_none_or(|(_, post)| post.bind(py).is_empty()),
        };
        if over {
            break;
        }
        let known = service.profiles.known(&current, service.stock(py))?;
        if is_leaf(&current, known.as_ref())? {
            break;
        }
        let before = walk.as_ref().map(Walk::mark);
        let segment = match &mut walk {
            Some(walk) => {
                let children = known.as_ref().and_then(|known| known.children.as_ref());
                request
                    .get()
                    .next_segment(py, walk, |s| service.segments.get(py, s, children))
                    .map(Bound::into_any)
            }
            None => listed_segment(request)?,
        };
        let Some(segment) = segment else { break };
        if let Some(child) = static_child(known.as_ref(), &segment)? {
            current = child;
        } else if known
            .as_ref()
            .is_some_and(|known| known.stock_child && known.stock_miss)
        {
            current = service.missing(py);
        } else if let (
            Some(Known {
                forwards_rest: true,
                ..
            }),
            Some(walk),
        ) = (&known, &walk)
        {
            request.get().passes_rest_from(py, walk.depth - 1);
            return Ok(Found::Resource(current, None));
        } else {
            let keeps = keeps && known.as_ref().is_some_and(|known| known.keeps_files);
            if let Some((walk, before)) = walk.as_mut().zip(before).filter(|_| keeps) {
                let rest = request.get().path_since(py, walk, before);
                match look(request, &current, Some(&rest))? {
                    Look::Answer(answer) => {
                        request.get().walk_to_end(py, walk);
                        return Ok(Found::File(answer));
                    }
                    Look::Missing(found) => place = Some(found),
                    Look::Nowhere => {}
                }
            }
            // The program looks at the path from here on, and may change it.
            if let Some(walk) = walk.take() {
                request.get().walked(py, walk.depth);
            }
            let ask = if known.is_some_and(|known| known.stock_child) {
                intern!(py, "getChild")
            } else {
                intern!(py, "getChildWithDefault")
            };
            current = current.call_method1(ask, (&segment, request))?;
            walk = request.get().walk(py);
        }
        if is_pending(service, &current)? {
            if let Some(walk) = walk {
                request.get().walked(py, walk.depth);
            }
            return Ok(Found::Pending(current));
        }
    }
    if let Some(walk) = walk {
        request.get().walked(py, walk.depth);
    }
    Ok(Found::Resource(current, place))
}

fn is_leaf(resource: &Bound<'_, PyAny>, known: Option<&Known<'_>>) -> PyResult<bool> {
    match known {
        Some(Known {
            leaf: Some(leaf), ..
        }) => Ok(*leaf),
        _ => resource
            .getattr(intern!(resource.py(), "isLeaf"))?
            .is_truthy(),
    }
}

/// Take the next segment from the lists that the program has.
fn listed_segment<'py>(request: &Bound<'py, Request>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = request.py();
    let Some((pre, post)) = request.get().path_lists(py) else {
        return Ok(None);
    };
    let post = post.bind(py);
    if post.is_empty() {
        return Ok(None);
    }
    let segment = post.get_item(0)?;
    post.del_item(0)?;
    pre.bind(py).append(&segment)?;
    Ok(Some(segment))
}

/// What the stock `getChildWithDefault` finds without `getChild`.
fn static_child<'py>(
    known: Option<&Known<'py>>,
    segment: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(known) = known.filter(|known| known.stock_child) else {
        return Ok(None);
    };
    match &known.children {
        Some(children) => match children.cast_exact::<PyDict>() {
            Ok(children) => children.get_item(segment),
            Err(_) if children.contains(segment)? => children.get_item(segment).map(Some),
            Err(_) => Ok(None),
        },
        None => Ok(None),
    }
}

/// Whether a child, or a site's answer, is an awaitable of a resource.
fn is_pending(service: &Service, child: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = child.py();
    if is_coroutine(child) {
        return Ok(true);
    }
    if service.profiles.renders(child, service.stock(py))? {
        return Ok(false);
    }
    Ok(!child.hasattr(intern!(py, "render"))? && child.hasattr(intern!(py, "__await__"))?)
}

/// Render `resource` and do with the result what is to be done.
pub fn render(conn: &Arc<Conn>, request: &Bound<'_, Request>, resource: &Bound<'_, PyAny>) {
    render_found(conn, request, resource, None, &mut Batch::default());
}

/// As `render`; `place` is where the answer belongs if it is that of a file.
fn render_found<'py>(
    conn: &Arc<Conn>,
    request: &Bound<'py, Request>,
    resource: &Bound<'py, PyAny>,
    mut place: Option<Place<'py>>,
    batch: &mut Batch,
) {
    let done = call_render(conn, request, resource, &mut place, batch).and_then(|result| {
        let Some(result) = result else {
            return Ok(());
        };
        if let Some(place) = place {
            keep(&place, &result)?;
        }
        try_respond(conn, request, &result, Some(resource))
    });
    if let Err(error) = done {
        failed(request, error, Some(resource));
    }
}

/// What `resource` renders; nothing if the request is passed on to another server, or an application is called for it.
fn call_render<'py>(
    conn: &Arc<Conn>,
    request: &Bound<'py, Request>,
    resource: &Bound<'py, PyAny>,
    place: &mut Option<Place<'py>>,
    batch: &mut Batch,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = request.py();
    let service = conn.service.get();
    let renderer = request.get().with_method(py, |method| {
        service
            .profiles
            .renderer(resource, method, service.stock(py))
    })?;
    let (function, keeps_files) = match renderer {
        Renderer::Function(function, keeps_files) => (function, keeps_files),
        // One that is observed has something to add to what is passed on.
        Renderer::Forward(forward)
            if request.get().context(py).is_none()
                && upstream::start(conn, request, forward.get())? =>
        {
            return Ok(None);
        }
        Renderer::Application(application) => {
            ASGIApplication::serve(&application, conn, request, batch)?;
            return Ok(None);
        }
        Renderer::Gateway(gateway) => {
            Gateway::serve(&gateway, conn, request, batch)?;
            return Ok(None);
        }
        Renderer::Forward(_) | Renderer::Unknown => {
            return resource
                .call_method1(intern!(py, "render"), (request,))
                .map(Some);
        }
    };
    if keeps_files && place.is_none() {
        match look(request, resource, None)? {
            Look::Answer(answer) => return Ok(Some(answer.into_bound(py).into_any())),
            Look::Missing(found) => *place = Some(found),
            Look::Nowhere => {}
        }
    }
    call_with(&function, [resource, request.as_any()]).map(Some)
}

/// Look for a file's answer that was kept: of what the rest of the path leads to below `resource`, or of itself.
fn look<'py>(
    request: &Bound<'py, Request>,
    resource: &Bound<'py, PyAny>,
    rest: Option<&[u8]>,
) -> PyResult<Look<'py>> {
    match request.get().wish(request.py()) {
        Wish::Other => Ok(Look::Nowhere),
        wish => kept_file::look(resource, rest, &wish),
    }
}

/// If `result` is a file's answer, keep it in its place.
fn keep(place: &Place<'_>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    match result.cast_exact::<FileAnswer>() {
        Ok(answer) => place.keep(answer),
        Err(_) => Ok(()),
    }
}

/// Do with `result` what is done with what a render method returns.
pub fn respond(
    request: &Bound<'_, Request>,
    result: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
) {
    // With its client gone, or its response finished, there is nothing to be done.
    let Some(conn) = request.get().conn(request.py()) else {
        return;
    };
    if let Err(error) = try_respond(&conn, request, result, resource) {
        failed(request, error, resource);
    }
}

pub fn try_respond(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    result: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = request.py();
    if let Ok(text) = result.cast::<PyString>() {
        return respond_whole(conn, request, result, text.to_str()?.as_bytes(), resource);
    }
    if let Ok(bytes) = result.cast::<PyBytes>() {
        return respond_whole(conn, request, result, bytes.as_bytes(), resource);
    }
    if let Ok(answer) = result.cast_exact::<Answer>() {
        return match request.get().standing(py) {
            Standing::Open => whole::respond_answer(conn, request, answer.get()),
            Standing::Gated => gated(request, resource, result),
            Standing::Over => Ok(()),
        };
    }
    if let Ok(body) = result.cast_exact::<FileBody>() {
        return respond_file(conn, request, body, resource);
    }
    if let Ok(kept) = result.cast_exact::<FileAnswer>() {
        let answer = kept.get().answer(py).ok_or_else(|| {
            PyRuntimeError::new_err("a FileAnswer was given that is forgotten already")
        })?;
        return try_respond(conn, request, answer.bind(py).as_any(), resource);
    }
    if is_coroutine(result) {
        return task::start(request, result, resource, true);
    }
    if let Ok(number) = result.cast_exact::<PyInt>() {
        if number.extract::<i64>().is_ok_and(|n| n == NOT_DONE_YET) {
            return Ok(());
        }
    }
    // A handler that has finished the response itself, or whose client has left, may return anything.
    if result.is_none() && request.get().is_over(py) {
        return Ok(());
    }
    if is_iterator(result) {
        if request.get().standing(py) == Standing::Gated {
            return gated(request, resource, result);
        }
        return crate::source::start(request, result);
    }
    request
        .call_method1(intern!(py, "_render_other"), (resource, result))
        .map(drop)
}

/// Send `bytes` as the whole body; `data` is the object they belong to.
pub fn respond_whole(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    data: &Bound<'_, PyAny>,
    bytes: &[u8],
    resource: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    match request.get().standing(request.py()) {
        Standing::Open => {}
        Standing::Gated => return gated(request, resource, data),
        Standing::Over => return Ok(()),
    }
    if conn.service.get().custom_output {
        return respond_through_program(request, bytes);
    }
    whole::respond_whole(conn, request, data, bytes)
}

/// Send what is in a file as the whole body.
pub fn respond_file(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    body: &Bound<'_, FileBody>,
    resource: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = request.py();
    match request.get().standing(py) {
        Standing::Open => {}
        Standing::Gated => return gated(request, resource, body.as_any()),
        Standing::Over => {
            drop(body.get().take(py));
            return Ok(());
        }
    }
    if !conn.service.get().custom_output {
        return whole::respond_file(conn, request, body);
    }
    if !request.get().lock(py).started {
        announce_length(request, body.get().len(py))?;
    }
    crate::source::start(request, body.as_any())
}

fn announce_length(request: &Bound<'_, Request>, length: u64) -> PyResult<()> {
    let py = request.py();
    let length = PyBytes::new(py, length.to_string().as_bytes());
    let name = PyBytes::new(py, b"Content-Length");
    output::set_header(request.get(), name.as_any(), length.as_any())
}

/// Something has to be done before a response may go out: Python does it, and comes back with the result.
fn gated(
    request: &Bound<'_, Request>,
    resource: Option<&Bound<'_, PyAny>>,
    result: &Bound<'_, PyAny>,
) -> PyResult<()> {
    request
        .call_method1(intern!(request.py(), "_gated_result"), (resource, result))
        .map(drop)
}

/// The request class has a `write` or `finish` of its own: they are called, as in Twisted.
fn respond_through_program(request: &Bound<'_, Request>, bytes: &[u8]) -> PyResult<()> {
    let py = request.py();
    if !request.get().lock(py).started {
        announce_length(request, bytes.len() as u64)?;
    }
    request.call_method1(intern!(py, "write"), (PyBytes::new(py, bytes),))?;
    request.call_method0(intern!(py, "finish")).map(drop)
}

/// Something in traversal or rendering has raised `error`: Python makes the answer.
pub fn failed(request: &Bound<'_, Request>, error: PyErr, resource: Option<&Bound<'_, PyAny>>) {
    let py = request.py();
    if let Some(conn) = request.get().conn(py) {
        // What was answered before it failed is the answer.
        conn.put_due(py);
    }
    let answered = request.call_method1(
        intern!(py, "_failed"),
        (errors::raised(py, &error), resource),
    );
    if let Err(second) = answered {
        errors::log(py, "an error could not be answered", second);
        if let Some(conn) = request.get().conn(py) {
            conn.lose(py, "lost", true);
        }
    }
}

/// Ask the resources on the static part of a request's path what they want done with its body: the deepest that says
/// anything decides. No program code runs: only `children` of resources with stock `getChildWithDefault` are followed.
pub fn probe(service: &Service, request: &Bound<'_, Request>) -> PyResult<BodyWish> {
    let py = request.py();
    let mut wish = BodyWish::default();
    if service.custom_traversal || request.get().is_asterisk(py) {
        return Ok(wish);
    }
    // A factory whose requests process themselves may have no tree at all.
    if service.custom_process && !service.site(py).hasattr(intern!(py, "resource"))? {
        return Ok(wish);
    }
    let mut current = service.root(py)?;
    let mut segments = request.get().decoded_segments(py).into_iter();
    loop {
        let known = service.profiles.known(&current, service.stock(py))?;
        wish = wish_of(wish, &current, known.as_ref())?;
        if is_leaf(&current, known.as_ref())? {
            return Ok(wish);
        }
        let Some(segment) = segments.next() else {
            return Ok(wish);
        };
        match static_child(known.as_ref(), PyBytes::new(py, &segment).as_any())? {
            Some(child) => current = child,
            None => return Ok(wish),
        }
    }
}

/// What one resource wants; a limit that it doesn't set is left as it is.
fn wish_of(
    before: BodyWish,
    resource: &Bound<'_, PyAny>,
    known: Option<&Known<'_>>,
) -> PyResult<BodyWish> {
    let py = resource.py();
    let own = match known.and_then(|known| known.body) {
        Some(wish) => wish,
        None => {
            let streams = resource.getattr_opt(intern!(py, "streamsBody"))?;
            let limit = resource.getattr_opt(intern!(py, "maxBody"))?;
            BodyWish::new(streams.as_ref(), limit.as_ref())?
        }
    };
    Ok(BodyWish {
        streams: own.streams,
        limit: own.limit.or(before.limit),
    })
}

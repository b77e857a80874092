//! The admin API of a gateway, as a user of it.

use std::net::SocketAddr;

use http::header::{ETAG, IF_MATCH};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    Gateway,
    client::{Client, Protocol, Request, Response, request},
};

/// Somebody who uses the admin API.
pub struct Admin {
    address: SocketAddr,
    user: String,
    password: String,
}

impl Gateway {
    /// The administrator that the first start has made.
    ///
    /// # Panics
    ///
    /// When the gateway has no manager, or this was not its first start.
    pub fn administrator(&self) -> Admin {
        let password = self.inner().first_password().expect("the store was empty");
        self.admin("Administrator", password)
    }

    /// A user of the admin API.
    ///
    /// # Panics
    ///
    /// When the gateway has no manager.
    pub fn admin(&self, user: &str, password: &str) -> Admin {
        let address = self.inner().admin().expect("settings.manager.enabled is set");
        Admin::new(address, user, password)
    }
}

impl Admin {
    /// A user of an admin API anywhere.
    pub fn new(address: SocketAddr, user: &str, password: &str) -> Self {
        Self { address, user: user.to_owned(), password: password.to_owned() }
    }

    /// Sends a request as this user; `None` when nobody answers to the end.
    pub async fn try_send(&self, request: Request) -> Option<Response> {
        let request = request.basic(&self.user, &self.password);
        let stream = TcpStream::connect(self.address).await.ok()?;
        let client = Client::over(stream, Protocol::Http1, &self.address.to_string(), false).await;
        client.ok()?.try_send(request).await.ok()
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// The same user at another node.
    #[must_use]
    pub fn at(&self, gateway: &Gateway) -> Self {
        gateway.admin(&self.user, &self.password)
    }

    /// Sends a request as this user.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn send(&self, request: Request) -> Response {
        let request = request.basic(&self.user, &self.password);
        self.send_as_it_is(request).await
    }

    /// Sends a request without saying who it is.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn send_as_it_is(&self, request: Request) -> Response {
        let stream = TcpStream::connect(self.address).await.expect("the admin API listens");
        let client = Client::over(stream, Protocol::Http1, &self.address.to_string(), false).await;
        client.expect("a connection").send(request).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(request("GET", &format!("/api/v1{path}"))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send(json_request("POST", path, body)).await
    }

    /// Replaces an asset, whatever it is like, or makes it.
    pub async fn put(&self, path: &str, body: &Value) -> Response {
        let found = self.get(path).await;
        let request = json_request("PUT", path, body);
        self.send(match found.header(ETAG.as_str()) {
            "" => request,
            tag => request.header(IF_MATCH.as_str(), tag),
        })
        .await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.send(request("DELETE", &format!("/api/v1{path}"))).await
    }
}

/// A request with a JSON body.
pub fn json_request(method: &str, path: &str, body: &Value) -> Request {
    let body = crate::body::full(body.to_string());
    request(method, &format!("/api/v1{path}")).header("content-type", "application/json").body(body)
}

import CompletionAPI
import Foundation
import Hummingbird
import NIOCore
import Schemas

/// The routes of files and batches, in the forms of OpenAI's API.
enum BatchRoutes {
    /// Adds them to a router.
    static func add(to router: Router<BasicRequestContext>, book: BatchBook) {
        router.post("v1/files") { request, _ in
            let body = try await CompletionRoutes.body(of: request, upTo: BatchBook.maximumFile + (1 << 16))
            let parts = try MultipartReader.parts(of: body, contentType: request.headers[.contentType])
            return try CompletionRoutes.json(try await book.upload(parts))
        }
        router.get("v1/files/:id") { _, context in
            try CompletionRoutes.json(try await book.file(try context.parameters.require("id")))
        }
        router.get("v1/files/:id/content") { _, context in
            let content = try await book.content(try context.parameters.require("id"))
            return Response(
                status: .ok,
                headers: [.contentType: "application/octet-stream"],
                body: .init(byteBuffer: ByteBuffer(bytes: content))
            )
        }
        router.post("v1/batches") { request, _ in
            try CompletionRoutes.json(try await book.create(try await CompletionRoutes.body(of: request)))
        }
        router.get("v1/batches") { request, _ in
            let limit = request.uri.queryParameters.get("limit", as: Int.self) ?? 20
            guard (1...100).contains(limit) else { throw APIError.invalid("limit", "limit must be 1 to 100.") }
            let after = request.uri.queryParameters.get("after")
            return try CompletionRoutes.json(try await book.list(limit: limit, after: after))
        }
        router.get("v1/batches/:id") { _, context in
            try CompletionRoutes.json(try await book.batch(try context.parameters.require("id")))
        }
        router.post("v1/batches/:id/cancel") { _, context in
            try CompletionRoutes.json(try await book.cancel(try context.parameters.require("id")))
        }
    }
}

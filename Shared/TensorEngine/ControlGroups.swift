import Foundation

/// The control groups that a process is in, as Linux tells of them in /proc.
package struct ControlGroups {
    /// Reads a file; nil where it is not there.
    package let read: (_ path: String) -> String?

    /// The groups of this process.
    package init() {
        self.init(read: { try? String(contentsOfFile: $0, encoding: .utf8) })
    }

    /// The groups that files tell of.
    package init(read: @escaping (_ path: String) -> String?) {
        self.read = read
    }

    /// The folder of a group.
    package struct Folder {
        package var path: String
        /// Version 2 of the kernel's files: one hierarchy of all controllers.
        package var isUnified: Bool
    }

    /// The process's groups and all groups around them, as far as they are mounted.
    ///
    /// - Parameter controller: `cpu`, `memory` and the like.
    /// - Returns: Its folders in each mounted hierarchy; none where the system does not say.
    package func folders(of controller: String) -> [Folder] {
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return [] }
        return mounts.split(separator: "\n").compactMap { Mount($0, controller) }.flatMap { mount in
            folders(of: mount, controller, groups: groups).map { Folder(path: $0, isUnified: mount.isUnified) }
        }
    }

    /// A mounted hierarchy that has a controller, or may have it.
    private struct Mount {
        /// The group that is mounted, and where.
        let root: String
        let point: String
        let isUnified: Bool

        /// A line of mountinfo: id, parent, device, root, mount point, options, optional fields, "-", type, source, options
        /// of the file system.
        init?(_ line: Substring, _ controller: String) {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard fields.count > 5, let end = fields.dropFirst(6).firstIndex(of: "-"), fields.count > end + 3 else {
                return nil
            }
            isUnified = fields[end + 1] == "cgroup2"
            let controllers = fields[end + 3].split(separator: ",").map(String.init)
            let isSplit = fields[end + 1] == "cgroup" && controllers.contains(controller)
            guard isUnified || isSplit else { return nil }
            root = Self.unescaped(fields[3])
            point = Self.unescaped(fields[4])
        }

        /// Blanks and the like stand as three octal digits.
        private static func unescaped(_ text: String) -> String {
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while let byte = rest.popFirst() {
                let digits = String(decoding: rest.prefix(3), as: UTF8.self)
                if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let value = UInt8(digits, radix: 8) {
                    bytes.append(value)
                    rest = rest.dropFirst(3)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Whether the fields of a line, hierarchy:controllers:path, are of a controller; version 2 has no controllers there.
    private static func isGroup(_ fields: [Substring], of controller: String, unified: Bool) -> Bool {
        guard fields.count == 3 else { return false }
        return unified ? fields[1].isEmpty : fields[1].split(separator: ",").contains { $0 == controller }
    }

    /// The folders of the process's group in a hierarchy and of the groups around it, as far as they are mounted.
    private func folders(of mount: Mount, _ controller: String, groups: String) -> [String] {
        let own = groups.split(separator: "\n").lazy
            .map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
            .first { Self.isGroup($0, of: controller, unified: mount.isUnified) }
        guard let own else { return [] }
        let root = mount.root.split(separator: "/")
        let path = own[2].split(separator: "/")
        // A group outside of what is mounted here, as a namespace can show it: what is mounted is all that can be read.
        let isBelow = path.starts(with: root) && !path.contains("..")
        var below = isBelow ? Array(path.dropFirst(root.count)) : []
        var folders = [mount.point]
        while !below.isEmpty {
            folders.append(mount.point + "/" + below.joined(separator: "/"))
            below.removeLast()
        }
        return folders
    }
}

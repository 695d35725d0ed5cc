import TensorEngine
import Testing

@testable import Training

@Suite("Memory that a process may use")
struct MemoryBudgetTests {
    private static let meminfo = """
        MemTotal:       16000000 kB
        MemFree:         1000000 kB
        MemAvailable:    9000000 kB
        """
    private static let unified = "31 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"
    private static let legacy = "36 32 0:33 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory"

    private func budget(_ files: [String: String], groups: String = "", mounts: String = "") -> MemoryBudget {
        let proc = ["/proc/meminfo": Self.meminfo, "/proc/self/cgroup": groups, "/proc/self/mountinfo": mounts]
        return MemoryBudget(ControlGroups(read: { files[$0] ?? proc[$0] }))
    }

    @Test("without a cgroup's limit it is the machine's")
    func machine() {
        let machine = MemoryBudget(available: 9_000_000 * 1024, limit: 16_000_000 * 1024)
        #expect(budget([:]) == machine)
        #expect(budget(["/sys/fs/cgroup/a/memory.max": "max\n"], groups: "0::/a\n", mounts: Self.unified) == machine)
    }

    @Test("version 2: the tightest of the groups around a process counts, and cache that gives way is free")
    func unified() {
        let files = [
            "/sys/fs/cgroup/pods/memory.max": "4000000000\n",
            "/sys/fs/cgroup/pods/memory.current": "3000000000\n",
            "/sys/fs/cgroup/pods/memory.stat": "anon 1\ninactive_file 500000000\nactive_file 7\n",
            "/sys/fs/cgroup/pods/one/memory.max": "6000000000\n",
            "/sys/fs/cgroup/pods/one/memory.current": "100\n",
        ]
        #expect(
            budget(files, groups: "0::/pods/one\n", mounts: Self.unified)
                == MemoryBudget(available: 1_500_000_000, limit: 4_000_000_000)
        )
    }

    @Test("version 1 has its files under the controller, and a huge number for no limit")
    func legacy() {
        let files = [
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": "2000000000\n",
            "/sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes": "2500000000\n",
        ]
        let groups = "9:cpu,cpuacct:/docker/a\n8:memory:/docker/a\n1:name=systemd:/docker/a\n"
        #expect(
            budget(files, groups: groups, mounts: Self.legacy) == MemoryBudget(available: 0, limit: 2_000_000_000)
        )
    }

    @Test("what the system does not say is unknown, and garbage is no number")
    func unknown() {
        let files = ["/proc/meminfo": "garbage", "/sys/fs/cgroup/memory.max": "garbage"]
        #expect(budget(files, groups: "0::/\n", mounts: Self.unified) == MemoryBudget(available: nil, limit: nil))
    }
}

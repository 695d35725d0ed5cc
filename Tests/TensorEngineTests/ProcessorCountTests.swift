import Testing

@testable import TensorEngine

@Suite("Processors that a process may use")
struct ProcessorCountTests {
    /// A mount of version 2 in a container with a namespace of its own.
    private static let unified = """
        24 30 0:22 / /proc rw,nosuid shared:13 - proc proc rw
        30 1 0:26 / / rw,relatime shared:1 - overlay overlay rw
        35 30 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
        """
    private static let split = """
        35 30 0:30 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro
        36 35 0:31 /docker/ab12 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        37 35 0:32 /docker/ab12 /sys/fs/cgroup/cpu,cpuacct rw shared:11 master:3 - cgroup cgroup rw,cpu,cpuacct
        """

    private func quota(_ files: [String: String]) -> Double? { ControlGroups(read: { files[$0] }).quota }

    @Test(
        "version 2: the tightest of a group and all groups around it",
        arguments: [
            (["/cpu.max": "200000 100000\n"], "0::/\n", 2.0),
            (["/cpu.max": "max 100000\n"], "0::/\n", nil),
            (["/cpu.max": "150000 100000\n"], "0::/a/b\n", 1.5),
            (["/a/cpu.max": "400000 100000\n", "/a/b/cpu.max": "max 100000\n"], "0::/a/b\n", 4),
            (["/a/cpu.max": "50000 100000\n", "/a/b/cpu.max": "800000 100000\n"], "0::/a/b\n", 0.5),
            // A group that is not a part of what is mounted, as a shared namespace shows it.
            (["/cpu.max": "300000 100000\n"], "0::/../../kubepods/x\n", 3),
            ([:], "0::/\n", nil),
            (["/cpu.max": "many 100000\n"], "0::/\n", nil),
            (["/cpu.max": "100000 0\n"], "0::/\n", nil),
            (["/cpu.max": "100000\n"], "0::/\n", nil),
            (["/cpu.max": "-1 100000\n"], "0::/\n", nil),
        ] as [([String: String], String, Double?)]
    )
    func unified(limits: [String: String], groups: String, expected: Double?) {
        var files = Dictionary(uniqueKeysWithValues: limits.map { ("/sys/fs/cgroup" + $0.key, $0.value) })
        files["/proc/self/cgroup"] = groups
        files["/proc/self/mountinfo"] = Self.unified
        #expect(quota(files) == expected)
    }

    @Test(
        "version 1: time and period in files of their own, in the hierarchy of the processor controller",
        arguments: [
            ("250000\n", "100000\n", "/docker/ab12", "", 2.5),
            ("-1\n", "100000\n", "/docker/ab12", "", nil),
            ("100000\n", "50000\n", "/docker/ab12/inner", "/inner", 2),
            ("100000\n", "50000\n", "/docker/ab12/inner", "", 2),
            // The group of another container: only what is mounted can be read.
            ("100000\n", "100000\n", "/docker/other", "", 1),
        ] as [(String, String, String, String, Double?)]
    )
    func split(time: String, period: String, group: String, at: String, expected: Double?) {
        let folder = "/sys/fs/cgroup/cpu,cpuacct" + at
        let files = [
            "/proc/self/cgroup": "5:memory:/docker/ab12\n4:cpu,cpuacct:\(group)\n3:cpuset:/\n",
            "/proc/self/mountinfo": Self.split,
            folder + "/cpu.cfs_quota_us": time,
            folder + "/cpu.cfs_period_us": period,
            // The controller of another hierarchy says nothing about processors.
            "/sys/fs/cgroup/memory/cpu.cfs_quota_us": "1000\n",
            "/sys/fs/cgroup/memory/cpu.cfs_period_us": "100000\n",
        ]
        #expect(quota(files) == expected)
    }

    @Test("where both versions are mounted the tighter quota holds, and a blank in a path is one")
    func both() {
        let files = [
            "/proc/self/cgroup": "4:cpu:/a\n0::/b c\n",
            "/proc/self/mountinfo": """
            37 35 0:32 / /one\\040cpu rw - cgroup cgroup rw,cpu
            38 35 0:33 / /two rw - cgroup2 cgroup rw
            """,
            "/one cpu/a/cpu.cfs_quota_us": "600000",
            "/one cpu/a/cpu.cfs_period_us": "100000",
            "/two/b c/cpu.max": "700000 100000",
        ]
        #expect(quota(files) == 6)
        #expect(quota(files.filter { !$0.key.hasPrefix("/one") }) == 7)
    }

    @Test("what cannot be read or understood is no limit")
    func unreadable() {
        #expect(quota([:]) == nil)
        #expect(quota(["/proc/self/cgroup": "0::/\n"]) == nil)
        for mounts in ["", "x", "1 2 3 4 5 6 - cgroup2", "35 30 0:30 / /sys rw shared:9 cgroup2 cgroup2 rw"] {
            #expect(quota(["/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": mounts]) == nil)
        }
        #expect(quota(["/proc/self/cgroup": "nonsense\n:\n", "/proc/self/mountinfo": Self.unified]) == nil)
    }

    @Test(
        "a quota is rounded to the nearest whole number, at least 1 and at most the processors there are",
        arguments: [
            (64, 2.0, 2), (64, 1.5, 2), (64, 1.4, 1), (64, 0.1, 1), (64, 2.6, 3), (2, 3.5, 2), (8, nil, 8), (0, nil, 1),
            (4, 1e300, 4), (4, .infinity, 4),
        ] as [(Int, Double?, Int)]
    )
    func rounding(affinity: Int, quota: Double?, expected: Int) {
        #expect(ProcessorCount.count(affinity: affinity, quota: quota) == expected)
    }

    @Test("this process has at least one processor")
    func here() {
        #expect(ProcessorCount.available >= 1)
        #expect(ComputeContext().threads == EngineSettings.ofProcess.settings.threads)
    }
}

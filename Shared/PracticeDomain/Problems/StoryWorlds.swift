import Reasoning

/// The families of the problem generator.
public enum ProblemFamily: String, Sendable, Hashable, Codable, CaseIterable {
    /// Buying things and the money that is left.
    case shopping
    /// Bags that are shared among friends.
    case sharing
    /// Speed, hours and the rest of a trip.
    case travel
    /// Weekly savings towards a goal.
    case savings
    /// Trays of baked things, some given away.
    case recipes
    /// Rates of work and an order.
    case work
    /// Collections that grow.
    case collections
    /// Ages now and later.
    case ages
    /// Pages a day and the rest of a book.
    case reading
    /// Rows of plants, some of which wither.
    case garden
    /// Hens and eggs.
    case farm
    /// Boxes that are packed.
    case packing

    /// The families that training and in-domain evaluation use by default.
    public static let standard: [ProblemFamily] = [
        .shopping, .sharing, .travel, .savings, .recipes, .work, .collections, .ages, .reading, .garden,
    ]

    /// The families of ``ProblemGenerator/Difficulty/gentle``.
    public static let gentle: [ProblemFamily] = [.recipes, .work, .reading, .collections]

    /// Families that are kept for out-of-domain evaluation.
    public static let heldOut: [ProblemFamily] = [.farm, .packing]
}

extension StoryWorld {
    package static let names = [
        "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Henry", "Ivy", "Jack", "Kate", "Leo", "Mia",
        "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor",
    ]

    private static let noises = [
        SentencePattern("{P} is {n} years old.", .noise),
        SentencePattern("{P} has {n} cousins.", .noise),
        SentencePattern("{P} lives in house number {n}.", .noise),
        SentencePattern("There are {n} children in the class of {P}.", .noise),
    ]

    /// Every world, in the order of ``ProblemFamily/allCases``.
    package static let all: [StoryWorld] = ProblemFamily.allCases.map(make)

    private static let byFamily = Dictionary(uniqueKeysWithValues: zip(ProblemFamily.allCases, all))

    package static func world(_ family: ProblemFamily) -> StoryWorld { byFamily[family] ?? make(family) }

    private static func make(_ family: ProblemFamily) -> StoryWorld {
        switch family {
        case .ages: ages
        case .collections: collections
        case .sharing: sharing
        default: regular(family)
        }
    }

    /// Worlds with the two laws "total = rate × count" and "whole = total + rest".
    private static func regular(_ family: ProblemFamily) -> StoryWorld {
        let objects: [String]
        let kinds: [QuantityKind]
        switch family {
        case .travel:
            objects = []
            kinds = [
                .init("rate", "drives", "drive", "miles", "each hour", 12...75),
                .init("count", "drives for", "drive for", "hours", "", 2...12),
                .init("total", "drives", "drive", "miles", "on Monday", 40...600),
                .init("whole", "plans", "plan", "miles", "for the trip", 200...999),
                .init("rest", "has", "have", "miles", "to go after Monday", 20...400),
            ]
        case .savings:
            objects = []
            kinds = [
                .init("rate", "saves", "save", "dollars", "each week", 4...45),
                .init("count", "saves for", "save for", "weeks", "", 3...20),
                .init("total", "saves", "save", "dollars", "in all", 40...600),
                .init("whole", "needs", "need", "dollars", "for a bike", 150...999),
                .init("rest", "is missing", "miss", "dollars", "at the end", 20...400),
            ]
        case .recipes:
            objects = ["cookies", "muffins", "rolls", "pies"]
            kinds = [
                .init("rate", "puts", "put", "{o}", "on each tray", 6...30),
                .init("count", "fills", "fill", "trays", "", 2...15),
                .init("whole", "bakes", "bake", "{o}", "in all", 40...400),
                .init("total", "gives away", "give away", "{o}", "", 5...150),
                .init("rest", "keeps", "keep", "{o}", "", 5...150),
            ]
        case .work:
            objects = ["toys", "chairs", "shirts", "lamps"]
            kinds = [
                .init("rate", "makes", "make", "{o}", "each day", 3...45),
                .init("count", "works for", "work for", "days", "", 2...20),
                .init("total", "makes", "make", "{o}", "in all", 40...600),
                .init("whole", "has an order for", "have an order for", "{o}", "", 150...900),
                .init("rest", "still owes", "still owe", "{o}", "", 15...300),
            ]
        case .reading:
            objects = []
            kinds = [
                .init("rate", "reads", "read", "pages", "each evening", 5...45),
                .init("count", "reads on", "read on", "evenings", "", 3...20),
                .init("total", "reads", "read", "pages", "in all", 40...600),
                .init("whole", "has a book of", "have a book of", "pages", "", 150...900),
                .init("rest", "leaves", "leave", "pages", "unread", 15...300),
            ]
        case .garden:
            objects = ["tulips", "roses", "beans", "melons"]
            kinds = [
                .init("rate", "sets", "set", "{o}", "in each row", 5...40),
                .init("count", "digs", "dig", "rows", "", 2...18),
                .init("whole", "plants", "plant", "{o}", "in all", 40...500),
                .init("total", "loses", "lose", "{o}", "to frost", 4...120),
                .init("rest", "picks", "pick", "{o}", "in summer", 20...300),
            ]
        case .farm:
            objects = ["eggs"]
            kinds = [
                .init("rate", "gets", "get", "{o}", "from each hen", 3...25),
                .init("count", "feeds", "feed", "hens", "", 3...30),
                .init("whole", "gathers", "gather", "{o}", "in all", 40...500),
                .init("total", "breaks", "break", "{o}", "", 3...90),
                .init("rest", "sells", "sell", "{o}", "", 20...300),
            ]
        case .packing:
            objects = ["cups", "plates", "books", "candles"]
            kinds = [
                .init("rate", "packs", "pack", "{o}", "into each box", 4...40),
                .init("count", "closes", "close", "boxes", "", 3...20),
                .init("total", "packs", "pack", "{o}", "in all", 40...500),
                .init("whole", "owns", "own", "{o}", "", 150...900),
                .init("rest", "leaves", "leave", "{o}", "on the shelf", 10...300),
            ]
        default:
            objects = ["apples", "pens", "balls", "cups", "books"]
            kinds = [
                .init("rate", "pays", "pay", "dollars", "for each item", 2...40),
                .init("count", "buys", "buy", "{o}", "", 2...25),
                .init("total", "spends", "spend", "dollars", "in the shop", 20...500),
                .init("whole", "takes", "take", "dollars", "to the shop", 100...900),
                .init("rest", "brings", "bring", "dollars", "home", 10...300),
            ]
        }
        // Where things are made first and then partly given away, the product is the whole.
        let product = [.recipes, .garden, .farm].contains(family) ? "whole" : "total"
        return StoryWorld(
            family: family,
            objects: objects,
            kinds: kinds,
            laws: [.init(product, "rate", "*", "count"), .init("whole", "total", "+", "rest")],
            noise: noises
        )
    }

    private static let sharing = StoryWorld(
        family: .sharing,
        objects: ["sweets", "nuts", "grapes", "plums"],
        kinds: [
            .init("rate", "finds", "find", "{o}", "in each bag", 4...40),
            .init("count", "opens", "open", "bags", "", 2...18),
            .init("whole", "shares", "share", "{o}", "", 40...500),
            .init("friends", "invites", "invite", "friends", "", 2...12),
            .init("each", "hands", "hand", "{o}", "to each friend", 3...60),
        ],
        laws: [.init("whole", "rate", "*", "count"), .init("whole", "each", "*", "friends")],
        noise: noises
    )

    private static let collections = StoryWorld(
        family: .collections,
        objects: ["stamps", "coins", "shells", "cards", "marbles"],
        kinds: [
            .init("old", "has", "have", "{o}", "in spring", 8...300),
            .init("new", "finds", "find", "{o}", "in May", 5...150),
            .init("now", "has", "have", "{o}", "in June", 30...500),
            .init("gone", "trades", "trade", "{o}", "in July", 4...100),
            .init("rest", "has", "have", "{o}", "in autumn", 10...300),
        ],
        laws: [.init("now", "old", "+", "new"), .init("now", "gone", "+", "rest")],
        noise: noises
    )

    private static let ages = StoryWorld(
        family: .ages,
        objects: [],
        kinds: [
            .init(
                name: "age",
                range: 3...60,
                patterns: [
                    .init("{P} is {n} years old.", .given),
                    .init("The age of {P} is {n}.", .given),
                    .init("{P} is {n} years older than {Q}.", .more),
                    .init("{Q} is {n} years younger than {P}.", .more),
                    .init("In {n} years, {Q} will be as old as {P} is now.", .more),
                    .init("{P} was as old as {Q} is now {n} years ago.", .more),
                    .init("{P} is {n} times as old as {Q}.", .times),
                    .init("{P} is twice as old as {Q}.", .timesFixed(2)),
                    .init("{Q} is half as old as {P}.", .timesFixed(2)),
                    .init("{Q} is a third as old as {P}.", .timesFixed(3)),
                    .init("{Q} is a quarter as old as {P}.", .timesFixed(4)),
                    .init("The ages of {P} and {Q} add up to {n}.", .together),
                    .init("How old is {P}?", .askValue),
                    .init("What is the age of {P}?", .askValue),
                    .init("What do the ages of {P} and {Q} add up to?", .askTogether),
                    .init("How many years older is {P} than {Q}?", .askDifference),
                    .init("How many years younger is {Q} than {P}?", .askDifference),
                ],
                stateValue: "{P} is {c} years old.",
                stateTogether: "The ages of {P} and {Q} add up to {c}.",
                stateDifference: "{P} is {c} years older than {Q}."
            ),
            .init("wait", "waits", "wait", "years", "for the trip", 2...30),
            .init(
                name: "later",
                range: 10...80,
                patterns: [
                    .init("{P} will be {n} years old at the trip.", .given),
                    .init("{P} will be {n} years older than {Q} at the trip.", .more),
                    .init("{Q} will be {n} years younger than {P} at the trip.", .more),
                    .init("{P} will be {n} times as old as {Q} at the trip.", .times),
                    .init("{Q} will be half as old as {P} at the trip.", .timesFixed(2)),
                    .init("How old will {P} be at the trip?", .askValue),
                    .init("What will the ages of {P} and {Q} add up to at the trip?", .askTogether),
                    .init("How many years older will {P} be than {Q} at the trip?", .askDifference),
                ],
                stateValue: "{P} will be {c} years old at the trip.",
                stateTogether: "At the trip the ages of {P} and {Q} add up to {c}.",
                stateDifference: "{P} will be {c} years older than {Q} at the trip."
            ),
        ],
        laws: [.init("later", "age", "+", "wait")],
        noise: [
            SentencePattern("{P} has {n} cousins.", .noise),
            SentencePattern("{P} lives in house number {n}.", .noise),
            SentencePattern("There are {n} children in the class of {P}.", .noise),
        ]
    )
}

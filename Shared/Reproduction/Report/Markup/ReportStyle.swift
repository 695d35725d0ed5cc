/// The report's style sheet: light and dark, narrow and printed.
enum ReportStyle {
    static let sheet: Markup = """
        :root {
          color-scheme: light dark;
          --back: #ffffff; --panel: #f4f6f8; --ink: #1c232b; --soft: #56616d; --line: #d3d9df; --accent: #1f5fa8;
          --good: #17663a; --warn: #765000; --bad: #a3271f; --key-right: #d3eed9; --key-wrong: #fbd9d3;
          --s0: #1f5fa8; --s1: #b3471d; --s2: #12754f; --s3: #86389f; --s4: #786000; --s5: #bb1a58; --s6: #00727e;
          --s7: #555f6b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #14181d; --panel: #1c2229; --ink: #e4e8ec; --soft: #9fabb7; --line: #3a434d; --accent: #7db4f0;
            --good: #7fd29a; --warn: #e8c15c; --bad: #ff9c8f; --key-right: #1f4d2d; --key-wrong: #612a23;
            --s0: #7db4f0; --s1: #f0a07a; --s2: #6fd3a8; --s3: #d39af0; --s4: #e0c35c; --s5: #ff8fb8; --s6: #66d0da;
            --s7: #aab4bf;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 70rem; background: var(--back); color: var(--ink);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
        }
        h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0 1rem; }
        h2 { font-size: 1.3rem; margin: 2.75rem 0 0.75rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
        h3 { font-size: 1.08rem; margin: 1.75rem 0 0.5rem; }
        h4 { font-size: 1rem; margin: 1.25rem 0 0.5rem; }
        p, li { max-width: 48rem; }
        a { color: var(--accent); }
        nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.4rem; margin: 1rem 0; padding: 0; }
        .note, figcaption, caption { color: var(--soft); font-size: 0.92em; font-weight: 400; }
        .scroll { overflow-x: auto; margin: 0.75rem 0; }
        table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
        caption { text-align: left; padding: 0 0 0.4rem; }
        th, td { padding: 0.32rem 0.7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
        thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
        tbody th { font-weight: 500; min-width: 9rem; }
        tbody th.group { font-weight: 650; background: var(--panel); }
        td.figure, th.figure { text-align: right; }
        td.figure { white-space: nowrap; }
        thead th.figure { max-width: 8rem; }
        td.best { font-weight: 700; }
        td.cell { text-align: center; white-space: nowrap; }
        .claims th:first-child { min-width: 14rem; }
        .claims td { min-width: 8rem; }
        .claims td.seeds { min-width: 10rem; }
        .claims td.measured { white-space: nowrap; }
        .claims td.measured svg { display: block; margin-bottom: 0.2rem; }
        .verdict { font-weight: 650; }
        .shown { color: var(--good); } .in-direction { color: var(--ink); }
        .not-shown { color: var(--warn); } .reversed { color: var(--bad); }
        figure { margin: 1rem 0 1.5rem; }
        figure svg { display: block; height: auto; width: 100%; }
        svg text { fill: var(--ink); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
        svg .small { fill: var(--soft); font-size: 11px; }
        svg .strong { font-weight: 650; }
        svg .grid { stroke: var(--line); stroke-width: 1; fill: none; }
        svg .axis { stroke: var(--soft); stroke-width: 1; fill: none; }
        svg .seed { fill: var(--back); stroke: var(--accent); stroke-width: 1.5; }
        svg .mean { stroke: var(--ink); stroke-width: 2.5; }
        svg .range { stroke: var(--accent); stroke-width: 5; opacity: 0.3; }
        svg .interval { stroke: var(--accent); stroke-width: 2; }
        svg .point { fill: var(--accent); }
        svg .paper { fill: var(--soft); opacity: 0.22; }
        svg .s0 { --c: var(--s0); } svg .s1 { --c: var(--s1); } svg .s2 { --c: var(--s2); } svg .s3 { --c: var(--s3); }
        svg .s4 { --c: var(--s4); } svg .s5 { --c: var(--s5); } svg .s6 { --c: var(--s6); } svg .s7 { --c: var(--s7); }
        svg .series { stroke: var(--c); stroke-width: 2; fill: none; stroke-linejoin: round; }
        svg .dot { fill: var(--c); }
        svg text.letter { fill: var(--c); font-weight: 700; }
        .panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem 1.5rem; }
        .panels figure { margin: 0; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.5rem; padding: 0; font-size: 0.9rem; }
        .legend li { display: flex; align-items: center; gap: 0.45rem; }
        .legend svg { width: 2.9rem; height: 1rem; flex: none; }
        .grids { display: flex; flex-wrap: wrap; gap: 0.5rem 2.5rem; }
        .card {
          border: 1px solid var(--line); border-radius: 6px; padding: 0.9rem 1.1rem; margin: 0.9rem 0; background: var(--panel);
        }
        .card h4 { margin-top: 0; }
        .card > :last-child, .side > :last-child { margin-bottom: 0; }
        .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 0.9rem 1.5rem; }
        .label { font-size: 0.85rem; font-weight: 650; color: var(--soft); margin: 0 0 0.2rem; }
        .outside { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; margin: 0 0 0.7rem; }
        .steps { padding-left: 1.7rem; margin: 0 0 0.7rem; }
        .steps li { padding: 0.1rem 0.4rem; }
        .steps li.faulty { border-left: 4px solid var(--bad); background: var(--key-wrong); }
        .flag { font-weight: 650; color: var(--bad); }
        .steps li.faulty .flag { color: var(--ink); }
        .flag.right { color: var(--good); }
        mark { color: inherit; padding: 0 0.06em; text-decoration: underline; text-decoration-thickness: 2px; }
        mark.right { background: var(--key-right); text-decoration-color: var(--good); }
        mark.wrong { background: var(--key-wrong); text-decoration-color: var(--bad); text-decoration-style: wavy; }
        .tree, .tree ul { list-style: none; margin: 0; padding-left: 1.3rem; }
        .tree { padding-left: 0; }
        .tree li { position: relative; padding: 0.2rem 0 0.2rem 1.1rem; max-width: none; }
        .tree li::before {
          content: ""; position: absolute; left: 0; top: 0; bottom: 0; border-left: 1.5px solid var(--soft);
        }
        .tree li:last-child::before { bottom: auto; height: 1rem; }
        .tree li::after {
          content: ""; position: absolute; left: 0; top: 1rem; width: 0.75rem; border-top: 1.5px solid var(--soft);
        }
        .tree .outside { margin: 0; }
        .tag { font-size: 0.8rem; font-weight: 650; color: var(--soft); margin-right: 0.4rem; }
        .tag.key { color: var(--accent); }
        details > summary { cursor: pointer; color: var(--accent); margin: 0.5rem 0; }
        pre { overflow-x: auto; font-size: 0.82rem; padding: 0.8rem; background: var(--panel); border: 1px solid var(--line); }
        @media print {
          :root { color-scheme: light; }
          body { max-width: none; padding: 0; font-size: 10pt; }
          nav { display: none; }
          .scroll { overflow: visible; }
          figure, .card, tr { break-inside: avoid; }
          h2, h3, h4 { break-after: avoid; }
          table { font-size: 8pt; } th, td { padding: 0.15rem 0.35rem; }
          tbody th, .claims th:first-child, .claims td, .claims td.seeds { min-width: 0; }
          .scroll, .wide-chart svg { min-width: 0; }
        }
        @media (max-width: 36rem) {
          body { padding: 1rem 0.8rem 3rem; font-size: 15px; }
          .wide-chart svg { min-width: 46rem; }
        }
        """
}

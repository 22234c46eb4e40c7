"""The report's style sheet: light and dark by the reader's setting, and for print."""

CSS = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#17202e;--soft:#5b6675;--line:#dfe3e9;--accent:#2f6fde;--good:#137a4b;--goodbg:#e3f5ec;--bad:#b3261e;--badbg:#fbe9e7}
@media (prefers-color-scheme:dark){:root{--page:#11151c;--card:#1a202a;--text:#e7ebf1;--soft:#9aa6b6;--line:#2c3543;--accent:#6ea3ff;--good:#5fd39a;--goodbg:#143426;--bad:#ff8a80;--badbg:#3f1d1b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1060px;margin:0 auto;padding:40px 20px 64px}
header{display:flex;flex-wrap:wrap;gap:12px 24px;align-items:flex-start;justify-content:space-between;margin-bottom:28px}
header>div:first-child{flex:1 1 420px;min-width:0}
h1{margin:2px 0 4px;font-size:28px;line-height:1.2;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{margin:0 0 4px;font-size:17px}
p{margin:0 0 14px}
section>p:last-child{margin-bottom:0}
.soft,.eyebrow,figcaption{color:var(--soft)}
.eyebrow{font-size:12px;font-weight:600;letter-spacing:.08em;text-transform:uppercase}
.verdict{padding:7px 16px;border-radius:999px;font-weight:600;background:var(--line);white-space:nowrap}
.passed{color:var(--good);background:var(--goodbg)}
.failed{color:var(--bad);background:var(--badbg)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:14px;margin-bottom:14px}
.card,section{background:var(--card);border:1px solid var(--line);border-radius:12px}
.card{padding:14px 18px}
.card b{display:block;font-size:27px;line-height:1.25;font-variant-numeric:tabular-nums}
section{padding:20px 22px;margin-bottom:14px}
.pair{display:grid;margin-bottom:14px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:14px}
.pair section{min-width:0;margin-bottom:0}
.pair section:last-child:nth-child(odd){grid-column:1/-1}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:left}
td:last-child:not(:first-child,.number){min-width:16ch;overflow-wrap:anywhere}
td .verdict{padding:2px 12px}
td:not(:last-child) code{white-space:nowrap}
th{color:var(--soft);font-size:12px;font-weight:600;white-space:nowrap}
.key{white-space:nowrap;font-weight:600}
.number{text-align:right;white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
svg{display:block;width:100%;max-width:560px;height:auto;margin:0 auto}
svg text{fill:var(--soft);font:11px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg .strong{fill:var(--text)}
svg .inverse{fill:var(--card);font-weight:600}
.axis{stroke:var(--line);fill:none}
.guide{stroke:var(--soft);stroke-dasharray:4 4;fill:none}
.curve{stroke:var(--accent);fill:none;stroke-width:2}
.bar,.cell{fill:var(--accent)}
.bar.before{fill-opacity:.35}
.cell.wrong{fill:var(--bad)}
.dots{stroke:var(--accent);stroke-linecap:round;stroke-width:4;stroke-opacity:.35;fill:none}
.curve.best{stroke:var(--good)}
.dot{fill:var(--accent)}
.dot.wrong{fill:var(--bad)}
.dot.best{fill:var(--good)}
.line{stroke:var(--accent);stroke-width:1.6;fill:none}
.line.pruned{stroke:var(--soft)}
.line.best{stroke:var(--good);stroke-width:3.5}
.pole{stroke:var(--soft);fill:none}
.halo{stroke:var(--card);stroke-width:3;paint-order:stroke}
.mark,.span{fill:var(--soft)}
.span.succeeded{fill:var(--accent)}
.mark.failed,.span.failed{fill:var(--bad)}
.slices{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,290px),1fr));gap:14px}
.wide svg{min-width:640px;max-width:none}
h3{margin:10px 0 4px;font-size:13px}
.series{fill:none;stroke-width:2;stroke-linejoin:round}
.whisker{stroke:var(--soft);stroke-width:1.5;fill:none}
.rival{fill:var(--card);stroke:var(--soft);stroke-width:1.5}
.c0{stroke:var(--accent)}.c1{stroke:#d9822b}.c2{stroke:#2a9d6f}.c3{stroke:#9a6bdd}.c4{stroke:#d6518f}.c5{stroke:#1f9ab5}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;padding:0;margin:8px 0 0;font-size:12.5px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:6px;margin:0}
.legend svg{width:18px;height:10px;flex:none;margin:0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr));gap:6px 18px}
figure{margin:0 0 10px;min-width:0}
figcaption{font-size:12.5px;font-weight:600}
.small{font-size:12px;color:var(--soft)}
.spark{width:120px;height:24px;margin:0}
ul{margin:0 0 14px;padding-left:20px}
details{margin-top:10px}
summary{cursor:pointer;color:var(--soft);font-size:13px}
li{margin:4px 0}
footer{color:var(--soft);font-size:12.5px;margin-top:22px}
@media (max-width:480px){td:nth-child(n+4):last-child:not(.number){min-width:30ch}td:first-child{min-width:9ch}}
@media print{body{background:#fff}section,.card{break-inside:avoid}}
"""

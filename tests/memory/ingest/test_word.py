"""Word documents: what is wrapped, tracked, boxed or nested is read, what is gone is not."""

from __future__ import annotations

import io

import docx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from assistant.memory.ingest.formats import docx as word

NAMES = (
    nsdecls("w", "m")
    + ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    + ' xmlns:v="urn:schemas-microsoft-com:vml"'
)


def r(text):
    return f"<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>"


def p(*inner):
    return f"<w:p>{''.join(inner)}</w:p>"


def tc(*inner, more=""):
    return f"<w:tc><w:tcPr>{more}</w:tcPr>{''.join(inner)}</w:tc>"


def tr(*cells, more=""):
    return f"<w:tr><w:trPr>{more}</w:trPr>{''.join(cells)}</w:tr>"


def tbl(*rows):
    return f"<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid>{''.join(rows)}</w:tbl>"


def sdt(*inner, about=""):
    return f"<w:sdt><w:sdtPr>{about}</w:sdtPr><w:sdtContent>{''.join(inner)}</w:sdtContent></w:sdt>"


def box(*inner):
    """As Word writes one: twice, for programs new and old."""
    held = f"<w:txbxContent>{''.join(inner)}</w:txbxContent>"
    return (
        f"<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing>{held}</w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{held}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )


def read(*body, notes=""):
    """The texts of a document with this body."""
    document = docx.Document()
    for part in parse_xml(f"<w:body {NAMES}>{''.join(body)}</w:body>"):
        document.element.body.insert_element_before(part, "w:sectPr")
    if notes:
        blob = f"<w:footnotes {NAMES}>{notes}</w:footnotes>".encode()
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
        part = Part(PackURI("/word/footnotes.xml"), kind, blob, document.part.package)
        document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    file = io.BytesIO()
    document.save(file)
    return [block.text for block in word.blocks(file.getvalue())]


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (r("The rent is ") + f"<w:ins w:id='1' w:author='x'>{r('800')}</w:ins>", "The rent is 800"),
        (
            r("The rent is ") + f"<w:ins w:id='1'>{r('800')}</w:ins>"
            "<w:del w:id='2'><w:r><w:delText>700</w:delText></w:r></w:del>",
            "The rent is 800",
        ),
        (f"<w:moveTo w:id='1'>{r('here')}</w:moveTo><w:moveFrom w:id='2'>{r('there')}</w:moveFrom>",
         "here"),
        (f"<w:ins w:id='1'><w:del w:id='2'>{r('no')}</w:del></w:ins>" + r("yes"), "yes"),
        (r("Name: ") + sdt(r("Ana")), "Name: Ana"),
        (r("Name: ") + sdt(r("Click to enter"), about="<w:showingPlcHdr/>"), "Name:"),
        (r("Name: ") + sdt(r("Ana"), about="<w:showingPlcHdr w:val='0'/>"), "Name: Ana"),
        (r("in ") + f"<w:smartTag w:element='City'>{r('Porto')}</w:smartTag>", "in Porto"),
        (r("on ") + f"<w:fldSimple w:instr='DATE'>{r('4 May')}</w:fldSimple>", "on 4 May"),
        (r("see ") + f"<w:hyperlink>{sdt(r('Nice'))}</w:hyperlink>", "see Nice"),
        ("<w:pPr><w:tabs><w:tab w:pos='1'/></w:tabs></w:pPr>" + r("a") + "<w:r><w:tab/><w:br/></w:r>"
         + r("b") + "<w:r><w:br w:type='page'/><w:noBreakHyphen/></w:r>" + r("c"), "a\t\nb-c"),
        ("<w:r><w:ruby><w:rt>" + r("kan") + "</w:rt><w:rubyBase>" + r("漢") + "</w:rubyBase></w:ruby></w:r>",
         "漢"),
        ("<m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath>", "E=mc"),
    ],
)  # fmt: skip
def test_a_paragraph_says_what_it_says_now(inner, text):
    assert read(p(r("before")), p(inner), p(r("after"))) == ["before", text, "after"]


@pytest.mark.parametrize(
    ("part", "texts"),
    [
        (sdt(p(r("in a control"))), ["in a control"]),
        (sdt(sdt(p(r("deeper"))), tbl(tr(tc(p(r("row")))))), ["deeper", "row"]),
        (sdt(p(r("1 Trip 3")),
             about="<w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj>"), []),
        (f"<w:customXml w:element='x'>{p(r('custom'))}</w:customXml>", ["custom"]),
        (p(r("beside"), box(p(r("boxed")), tbl(tr(tc(p(r("cell")))))), r(" it")),
         ["beside it", "boxed", "cell"]),
        (p(box(p(r("outer"), box(p(r("inner")))))), ["outer", "inner"]),
        (tbl(sdt(tr(tc(p(r("a"))), sdt(tc(p(sdt(r("b")))))))), ["a | b"]),
        (tbl(tr(tc(p(r("outer")), tbl(tr(tc(p(r("x"))), tc(p(r("y"))))), p(r("end"))), tc(p(r("z"))))),
         ["outer end | z", "x | y"]),
        (tbl(tr(tc(tbl(tr(tc(tbl(tr(tc(p(r("three deep"))))))))))), ["three deep"]),
        (tbl(tr(tc(p(r("side"), box(p(r("boxed"))))))), ["side", "boxed"]),
        (tbl(tr(tc(p(r("gone"))), more="<w:del w:id='1'/>"), tr(tc(p(r("here"))))), ["here"]),
        (tbl(tr(tc(p(r("3"))), tc(p(r("3"))))), ["3 | 3"]),
        (
            tbl(
                tr(tc(p(r("wide")), more="<w:gridSpan w:val='2'/>"), tc(p(r("c")))),
                tr(tc(p(r("a"))), tc(p(r("tall")), more="<w:vMerge w:val='restart'/>"), tc(p(r("1")))),
                tr(tc(p(), more="<w:vMerge/>"), tc(p(r("2"))), more="<w:gridBefore w:val='1'/>"),
            ),
            ["wide | c", "a | tall | 1", "tall | 2"],
        ),
    ],
)  # fmt: skip
def test_nothing_that_is_wrapped_is_lost_and_nothing_is_said_twice(part, texts):
    assert read(p(r("before")), part, p(r("after"))) == ["before", *texts, "after"]


def test_footnotes_come_last():
    note = f"<w:footnote w:id='2'>{p(r('Since 2024.'))}</w:footnote>"
    assert read(p(r("Ana lives in Porto.")), notes=note) == ["Ana lives in Porto.", "Since 2024."]


def test_headings_hold_for_what_is_wrapped():
    document = docx.Document()
    heading = document.add_heading("Trip", 1)
    control = parse_xml(f"<w:sdt {NAMES}><w:sdtContent>{p(r('by train'))}</w:sdtContent></w:sdt>")
    heading._p.addnext(control)
    control[0].insert(0, heading._p)
    file = io.BytesIO()
    document.save(file)
    found = list(word.blocks(file.getvalue()))
    assert [(one.text, one.place.heading) for one in found] == [
        ("Trip", "Trip"),
        ("by train", "Trip"),
    ]

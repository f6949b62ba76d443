// On the page before sign-in: copies the fragment "#t=SECONDS" into the query of the link, because a server never receives
// a fragment and the identity provider's forms lose it. An rd that contains "#" has been handled already.

const fragment = /^#t=[\dhms:.]{1,16}$/.exec(location.hash)?.[0];
for (const link of fragment ? document.querySelectorAll("a[href*='rd=']") : []) {
  const url = new URL(link.href);
  url.searchParams.set("rd", url.searchParams.get("rd").replace(/#.*/, fragment));
  link.href = url;
}
const single = document.querySelector("a[data-at-once]");
if (single) location.replace(single.href);
